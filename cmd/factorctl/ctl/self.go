package ctl

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/factord/factord/conf"
	"github.com/factord/factord/daemon/wire"
)

// selfName is the name of the user who runs this. This program is static, so
// only /etc/passwd is read; for a user of a directory it may be "". Factord
// finds out for itself who asks.
func selfName() string {
	uid := os.Geteuid()
	u, err := user.LookupId(strconv.Itoa(uid))
	switch {
	case err == nil:
		return u.Username
	case uid == 0:
		return "root"
	}
	return ""
}

// noteRoot tells somebody who used sudo that they change root's factors and not
// their own.
func (a *app) noteRoot(user string) {
	if sudoer := os.Getenv("SUDO_USER"); user == "" && os.Geteuid() == 0 && sudoer != "" && sudoer != "root" {
		fmt.Fprintf(a.Stderr, "note: this is about %s; for %s say --user %s\n", selfName(), text(sudoer), text(sudoer))
	}
}

// sayWhose tells root, who named nobody and has no such factor, how others are named.
func sayWhose(user string, err error) error {
	var refused *wire.Refused
	if user != "" || os.Geteuid() != 0 || !errors.As(err, &refused) || refused.Code != wire.ReasonDenied.Code() {
		return err
	}
	whose := os.Getenv("SUDO_USER")
	if whose == "" || whose == "root" {
		whose = "USER"
	}
	return fmt.Errorf("%w\nhint: as root, say whose: --user %s", err, text(whose))
}

// notePAM tells somebody who tries a service that PAM does not ask factord there yet.
func (a *app) notePAM(service string) {
	if note := conf.PAMNote(service); note != "" {
		fmt.Fprintln(a.Stderr, text(note))
	}
}

// whom says whom a change is about.
func whom(user string) string {
	if user != "" {
		return text(user)
	}
	if name := selfName(); name != "" {
		return text(name)
	}
	return "uid " + strconv.Itoa(os.Geteuid())
}
