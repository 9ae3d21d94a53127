package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"time"
)

// processTime bounds one run of a process.
const processTime = 30 * time.Second

// process is a program that is run again and again in the same way: from one
// call that starts it to its exit status, with nothing between but the kernel.
type process struct {
	name  string
	argv  []string               // argv[0] is an absolute path
	env   []string               // beside PATH
	input func() (string, error) // makes the next line for stdin, before the clock runs
	// argument: the line is the last argument instead.
	argument bool
	last     string // what the latest run found there
	sample
}

// takeTurns runs each process once a round, in an order of its own every time,
// so that none always finds the caches as the same other one leaves them.
func takeTurns(rounds int, all []*process) error {
	for range rounds {
		for _, i := range rand.Perm(len(all)) {
			if err := all[i].turn(); err != nil {
				return fmt.Errorf("%s: %w", all[i].name, err)
			}
		}
	}
	return nil
}

// turn runs the process and notes its time. Its due outcome is exit status 0.
func (p *process) turn() error {
	if p.input != nil {
		line, err := p.input()
		if err != nil {
			return err
		}
		p.last = line
	}
	state, took, err := p.run()
	if err != nil {
		return err
	}
	if !state.Success() {
		p.errors++
		p.first = errors.New(state.String())
	}
	p.times = append(p.times, took)
	return nil
}

// run runs the process with its last input.
func (p *process) run() (*os.ProcessState, time.Duration, error) {
	argv, line := p.argv, p.last
	if p.argument {
		argv, line = append(slices.Clone(argv), line), ""
	}
	in, err := filledPipe(line)
	if err != nil {
		return nil, 0, err
	}
	defer in.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, 0, err
	}
	defer null.Close()
	attr := &os.ProcAttr{Dir: "/", Env: append([]string{"PATH=/usr/bin:/bin"}, p.env...), Files: []*os.File{in, null, null}}

	begin := time.Now()
	proc, err := os.StartProcess(argv[0], argv, attr)
	if err != nil {
		return nil, 0, err
	}
	late := time.AfterFunc(processTime, func() { proc.Kill() })
	defer late.Stop()
	state, err := proc.Wait()
	return state, time.Since(begin), err
}

// filledPipe is the end to read of a pipe that holds line and ends after it.
func filledPipe(line string) (*os.File, error) {
	var fd [2]int
	if err := syscall.Pipe2(fd[:], syscall.O_CLOEXEC); err != nil {
		return nil, err
	}
	r, w := os.NewFile(uintptr(fd[0]), "stdin"), os.NewFile(uintptr(fd[1]), "stdin")
	defer w.Close()
	if _, err := w.WriteString(line); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// lowerFiles sets this program's limit of open files, soft and hard, to at most
// n, and returns the hard limits before and after. What is run inherits it; a
// program that set it first would be measured too. There is no way back: raising
// it needs CAP_SYS_RESOURCE, which root in a container may lack.
func lowerFiles(n uint64) (before, after uint64, err error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, 0, err
	}
	before, after = limit.Max, min(n, limit.Max)
	limit = syscall.Rlimit{Cur: after, Max: after}
	return before, after, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
