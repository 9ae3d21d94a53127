// Package helper is the client that runs where factord's PAM module cannot:
// under pam_exec, as sshd's ForceCommand, and in scripts. It carries text between
// a person and factord and turns factord's verdict into an exit status or, for
// sshd, into the session.
//
// It exists apart from factorctl because it starts once per login, as root, on
// behalf of somebody who may be hostile: it reads no configuration, opens no
// network, decides nothing, and imports little, since each package it links is
// paid for at every sudo.
package helper

import (
	"syscall"
	"time"

	"github.com/factord/factord/daemon/wire"
)

// Exit statuses. Only an allow is 0; pam_exec takes everything else, a signal
// included, for a refusal.
const (
	exitAllow       = 0
	exitDeny        = 1
	exitUsage       = 2 // also what a crashing Go program exits with
	exitUnavailable = 3
)

// DefaultDeadline is how long one run may take: factord's 60 seconds for an
// attempt, and time to hear its verdict.
const DefaultDeadline = 65 * time.Second

// enrolTime is how much longer it may take when the person sets up their first
// factor.
const enrolTime = 30 * time.Second

// Config is everything that a run takes from its process.
type Config struct {
	Args                  []string // without the program's name
	Version               string   // "": of no version
	Getenv                func(key string) (value string, found bool)
	Environ               func() []string
	Stdin, Stdout, Stderr int           // file descriptors
	Deadline              time.Duration // 0 is DefaultDeadline

	grace time.Duration // 0 is cancelGrace
	exec  execve        // nil is syscall.Exec
}

// Run does what the arguments say and returns the exit status.
func Run(c Config) int {
	if c.Deadline == 0 {
		c.Deadline = DefaultDeadline
	}
	if c.grace == 0 {
		c.grace = cancelGrace
	}
	core := forbidDumps()
	o, err := parseArgs(c.Args)
	switch {
	case err != nil:
		return c.refuse(err)
	case o.help:
		return c.inform(usage(ownPath()))
	case o.version && c.Version == "":
		return c.inform("factor-helper (devel)\n")
	case o.version:
		return c.inform("factor-helper " + c.Version + "\n")
	case o.verb == "check":
		return c.check(o)
	case o.verb == "ssh":
		return c.ssh(o, core)
	}
	return c.pam(o)
}

// inform refuses under pam_exec, where a stray --help with status 0 would let
// everybody in.
func (c Config) inform(text string) int {
	if _, underPAM := c.Getenv("PAM_TYPE"); underPAM {
		return c.refuse(usageError("that is no answer to PAM"))
	}
	put(c.Stdout, text)
	return exitAllow
}

// refuse reports err, from before factord was asked.
func (c Config) refuse(err error) int {
	put(c.Stderr, "factor-helper: "+err.Error()+"\n")
	return status(wire.Verdict{}, err)
}

// forbidDumps keeps passcodes out of core files and away from debuggers. It
// returns the limit that was there. The hard limit stays: an ordinary user could
// not raise it again for the session.
func forbidDumps() (core syscall.Rlimit) {
	// Each may fail without the other; none changes the verdict.
	_ = syscall.Getrlimit(syscall.RLIMIT_CORE, &core)
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{Max: core.Max})
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0)
	return core
}
