package helper

import (
	"syscall"

	"github.com/factord/factord/daemon/wire"
)

// sshService is what ssh asks for when --service is left out: sshd's name in PAM.
const sshService = "sshd"

// originalCommand is where sshd leaves what the client asked for (sshd(8)). It
// is unset for a login shell, and may be empty.
const originalCommand = "SSH_ORIGINAL_COMMAND"

// withoutTerminal ends the refusal of a login that could not be asked.
const withoutTerminal = ": there is no terminal to ask on; ssh -t has one, " +
	"and for scp, sftp, rsync or git an administrator can write a rule that asks nothing"

// ssh asks as sshd's ForceCommand about the user who runs it and, if allowed,
// becomes the session. It returns only if there is none.
func (c Config) ssh(o options, core syscall.Rlimit) int {
	if status := c.askSSH(o); status != exitAllow {
		return status
	}
	return c.become(core)
}

// askSSH leaves nothing open and nothing changed when it returns.
func (c Config) askSSH(o options) int {
	w, err := newWatch(c.Deadline, c.grace)
	defer w.close()
	if err != nil {
		return c.refuse(err)
	}
	w.client = c.Stdout
	a := &attempt{
		auth:  wire.Auth{User: ownName(), Service: o.service},
		watch: w, text: c.Stderr, log: c.Stderr, ssh: true,
		term: c.ownTerminal(),
	}
	defer a.close()
	if o.service == "" {
		a.auth.Service = sshService
	}
	a.auth.Command, _ = c.Getenv(originalCommand)
	switch {
	case a.term != nil:
		a.auth.Conv, a.auth.Race = wire.ConvPrompt, true
		a.auth.TTY, _ = c.Getenv("SSH_TTY") // without a terminal it is what the client sent
	case isShown(c.Stderr):
		a.auth.Conv = wire.ConvInfo
	}
	return a.decide(o.socket)
}
