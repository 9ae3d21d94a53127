package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpu is processor time, by whose it is.
type cpu struct {
	programs time.Duration // that log in, or the server that does
	starting time.Duration // them, which this program does
	factord  time.Duration
	duo      time.Duration // the simulator
}

func (c cpu) all() time.Duration { return c.programs + c.starting + c.factord + c.duo }

func (c cpu) minus(o cpu) cpu {
	return cpu{c.programs - o.programs, c.starting - o.starting, c.factord - o.factord, c.duo - o.duo}
}

func (c cpu) plus(o cpu) cpu {
	return cpu{c.programs + o.programs, c.starting + o.starting, c.factord + o.factord, c.duo + o.duo}
}

// each is c for one of so many.
func (c cpu) each(n int) cpu {
	d := time.Duration(max(1, n))
	return cpu{c.programs / d, c.starting / d, c.factord / d, c.duo / d}
}

// spent is the processor time that has been used by now.
func spent(factord, duo, server int) (c cpu, err error) {
	if c.programs, err = usage(unix.RUSAGE_CHILDREN); err != nil {
		return c, err
	}
	serving, err := usageOfFamily(server)
	if err != nil {
		return c, err
	}
	c.programs += serving
	if c.starting, err = usage(unix.RUSAGE_SELF); err != nil {
		return c, err
	}
	if c.factord, err = usageOf(factord); err != nil {
		return c, err
	}
	c.duo, err = usageOf(duo)
	return c, err
}

func usage(who int) (time.Duration, error) {
	var u unix.Rusage
	err := unix.Getrusage(who, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

// tick is the unit of /proc/PID/stat on every platform of Linux.
const tick = 10 * time.Millisecond

// usageOf reads utime and stime, fields 14 and 15 of proc_pid_stat(5). What the process
// is called, in field 2, may have spaces.
func usageOf(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields behind the name", pid, len(fields))
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, err
}

// usageOfFamily is the time of a process and its children, each of one thread, by what
// the scheduler counts in nanoseconds: no child has used up enough ticks.
func usageOfFamily(pid int) (all time.Duration, err error) {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	if err != nil {
		return 0, err
	}
	for _, one := range append(strings.Fields(string(children)), strconv.Itoa(pid)) {
		stat, err := os.ReadFile("/proc/" + one + "/schedstat")
		if err != nil {
			return 0, err
		}
		var ran time.Duration
		if _, err := fmt.Sscan(string(stat), (*int64)(&ran)); err != nil {
			return 0, err
		}
		all += ran
	}
	return all, nil
}
