package helper

import (
	"syscall"

	"github.com/factord/factord/daemon/wire"
)

// defaultService is what check asks for when --service is left out.
const defaultService = "check"

// check asks about the user who runs it.
func (c Config) check(o options) int {
	w, err := newWatch(c.Deadline, c.grace)
	defer w.close()
	if err != nil {
		return c.refuse(err)
	}
	a := &attempt{
		auth:  wire.Auth{User: ownName(), Service: o.service},
		watch: w, text: c.Stderr, log: c.Stderr,
		term: c.ownTerminal(),
	}
	defer a.close()
	if o.service == "" {
		a.auth.Service = defaultService
	}
	if a.term != nil {
		a.auth.Conv, a.auth.Race = wire.ConvPrompt, true
	}
	return a.decide(o.socket)
}

// ownName is what factord is told of who runs the program: only root has to be
// named, of everybody else it takes the socket's peer.
func ownName() string {
	if syscall.Geteuid() == 0 {
		return "root"
	}
	return ""
}

// ownTerminal is the controlling terminal, or else what stdin or stderr is. A
// job in the background has none: it would be stopped at its first question.
func (c Config) ownTerminal() *terminal {
	if inBackground(syscall.Getpid(), 0) {
		return nil
	}
	if t := openTerminal("/dev/tty"); t != nil {
		return t
	}
	if t := newTerminal(c.Stdin, false); t != nil {
		return t
	}
	return newTerminal(c.Stderr, false)
}
