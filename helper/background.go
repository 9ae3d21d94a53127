package helper

import (
	"bytes"
	"strconv"
	"syscall"
)

// inBackground reports whether process pid has the terminal with this device
// number as its controlling one, and another job is in the foreground there
// ("sudo make &"). Device 0 is any terminal. If /proc does not tell, it is not.
func inBackground(pid int, device uint64) bool {
	var buf [1024]byte
	fd, err := syscall.Open("/proc/"+strconv.Itoa(pid)+"/stat", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	n, err := syscall.Read(fd, buf[:])
	_ = syscall.Close(fd)
	return err == nil && statInBackground(buf[:max(n, 0)], device)
}

// statInBackground reads proc_pid_stat(5): pid (comm) state ppid pgrp session
// tty_nr tpgid …; comm may hold anything, parentheses too.
func statInBackground(stat []byte, device uint64) bool {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 6 {
		return false
	}
	pgrp, err1 := strconv.Atoi(string(fields[2]))
	tty, err2 := strconv.Atoi(string(fields[4]))
	foreground, err3 := strconv.Atoi(string(fields[5]))
	if err1 != nil || err2 != nil || err3 != nil || tty == 0 || foreground <= 0 {
		return false
	}
	return (device == 0 || uint64(uint32(tty)) == device) && pgrp != foreground
}
