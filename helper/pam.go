package helper

import (
	"bytes"
	"strconv"
	"strings"
	"syscall"

	"github.com/factord/factord/daemon/wire"
)

// pam asks for the login that pam_exec's variables describe.
func (c Config) pam(o options) int {
	auth, err := c.pamItems(o.service)
	if err != nil {
		return c.refuse(err)
	}
	w, err := newWatch(c.Deadline, c.grace)
	defer w.close()
	if err != nil {
		return c.refuse(err)
	}
	a := &attempt{auth: auth, watch: w, text: c.Stdout, log: c.Stderr}
	a.authInfo, a.auth.AuthInfo = c.authInfo(auth.TTY)
	if sameFile(c.Stdout, c.Stderr) {
		a.log = nowhere // pam_exec's option stdout shows both to the person
	}
	defer a.close()
	if a.term = pamTerminal(auth.TTY, syscall.Getppid()); a.term != nil {
		a.text = a.term.fd
	}
	if auth.Phase == wire.PhaseAuth {
		if a.answer, a.given, err = readAuthtok(w, c.Stdin); err != nil {
			return a.finish(wire.Verdict{}, err)
		}
	}
	a.auth.Conv, a.auth.Race = a.pamConv()
	return a.decide(o.socket)
}

// pamItems reads the variables that pam_exec sets (pam_exec(8)).
func (c Config) pamItems(service string) (wire.Auth, error) {
	item := func(key string) string { v, _ := c.Getenv(key); return v }
	if name := givenTwice(readFile("/proc/self/environ")); name != "" {
		return wire.Auth{}, usageError(name + " is given twice: the PAM environment has one too")
	}
	a := wire.Auth{
		User: item("PAM_USER"), Service: item("PAM_SERVICE"), RHost: item("PAM_RHOST"),
		RUser: item("PAM_RUSER"), TTY: item("PAM_TTY"),
	}
	if a.Service == "" {
		a.Service = service
	}
	switch t := item("PAM_TYPE"); t {
	case "auth":
		a.Phase = wire.PhaseAuth
	case "account":
		a.Phase = wire.PhaseAccount
	case "":
		return a, usageError("PAM_TYPE is not set: the verb pam runs under pam_exec")
	default:
		return a, usageError("PAM_TYPE is " + strconv.Quote(t) + ": only auth and account can be asked about")
	}
	if a.User == "" {
		return a, usageError("PAM_USER is not set")
	}
	return a, nil
}

// givenTwice returns a variable of pam_exec's that stands twice in an environment
// as execve(2) takes it, "" if none does. pam_exec puts its own behind the PAM
// environment, in which pam_env may have what the user wrote into a file, and Go
// takes the first.
func givenTwice(environ []byte) string {
	seen := map[string]bool{}
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		name, _, _ := strings.Cut(string(variable), "=")
		if !strings.HasPrefix(name, "PAM_") && name != "SSH_AUTH_INFO_0" {
			continue
		}
		if seen[name] {
			return name
		}
		seen[name] = true
	}
	return ""
}

// sshTTY is the PAM_TTY of sshd.
const sshTTY = "ssh"

// authInfo returns what sshd says of the first factor. Elsewhere the PAM
// environment may be the user's own. A longer one than factord reads says
// nothing, and nothing is remembered then.
func (c Config) authInfo(tty string) (info string, known bool) {
	if tty != sshTTY {
		return "", false
	}
	info, _ = c.Getenv("SSH_AUTH_INFO_0")
	return info, info != "" && len(info) <= wire.MaxInquiry
}

// pamConv is what this login can show and ask, and whether it watches factord
// while it asks.
func (a *attempt) pamConv() (conv wire.Conv, race bool) {
	switch {
	case a.given:
		return wire.ConvPrompt, false
	case a.term != nil && a.auth.Phase == wire.PhaseAuth:
		return wire.ConvPrompt, true
	case a.term != nil || isShown(a.text):
		return wire.ConvInfo, false
	}
	return wire.ConvNone, false
}

// isShown reports whether somebody may see what is written to fd: pam_exec's
// option stdout makes it a pipe; without the option it is /dev/null or a file.
// Of a subsystem (sftp) sshd reads no stderr.
func isShown(fd int) bool {
	var st syscall.Stat_t
	if syscall.Fstat(fd, &st) != nil {
		return false
	}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFIFO, syscall.S_IFSOCK:
		fds := []pollFd{hungUp(fd)}
		return ppoll(fds, 0) == nil && fds[0].revents == 0
	case syscall.S_IFCHR:
		return newTerminal(fd, false) != nil
	}
	return false
}

// nowhere is no file descriptor.
const nowhere = -1

// sameFile reports whether two descriptors are one pipe or file.
func sameFile(a, b int) bool {
	var x, y syscall.Stat_t
	return syscall.Fstat(a, &x) == nil && syscall.Fstat(b, &y) == nil && x.Dev == y.Dev && x.Ino == y.Ino
}
