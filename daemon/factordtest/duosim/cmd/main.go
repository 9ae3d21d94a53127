// Command duosim runs a Duo service on this machine, to try a client with: where
// the real one would ring a phone, it asks at the terminal.
//
//	go run ./daemon/factordtest/duosim/cmd --listen localhost:18443 --dir /tmp/duosim
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/factord/factord/daemon/factordtest/duosim"
)

const usage = `duosim: a Duo service on this machine, to try factord (or login_duo) with.

  duosim --dir DIR [--listen localhost:PORT] [options]

It prints the configuration that a client needs, then every push as it comes, and
asks what the person with the phone does. DIR gets ca.pem, the certificate
authority of this run, and holds nothing else.

  --dir DIR          where ca.pem goes; made if need be
  --listen ADDRESS   on this machine; default localhost:18443, port 0 is a free one
  --user NAME        somebody with a phone, by their name on this machine; may be
                     repeated; default alice
  --passcode CODE    good once for every user; may be repeated; default 123456
  --approve AFTER    every push is approved after so long (0s is at once)
  --verified-push    pushes want the code that the client shows
  --ikey, --skey     the integration, instead of made-up ones, for a client that
                     keeps its configuration over a restart
  --fault FAULT      from the start; as in "fault" below, with spaces; may be repeated

` + deskUsage + `
Debian's login_duo and pam_duo work against it: put ikey, skey, host and
cafile = DIR/ca.pem into their configuration. Without a terminal it runs until it
gets SIGTERM or SIGINT. Exit status: 0 ended as asked, 1 failed, 2 usage.
`

// deskUsage is what can be typed while it runs.
const deskUsage = `While it runs, at its terminal:

  y [USER]           approve what is pending, of everybody or of USER
  n [USER]           deny it
  f [USER]           deny it and report it as fraud
  code CODE          type the code of a verified push into the phone
  activate CODE      be the phone that has read the QR code of an enrolment: CODE
                     is its text, duo://..., as "factorctl enroll duo --json" prints
  fault NAME[=X] [ENDPOINT] [TIMES]
                     something goes wrong, at preauth, auth, auth_status... or at
                     all of them; so many times, or until "clear": "fault 500",
                     "fault slow=3s auth 1". "fault" alone explains all names
  clear              all is well again
  who                users, how they stand, and passcodes sent by SMS
  help               this list
  quit
`

// list is a flag that may be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// options of the command line.
type options struct {
	listen, dir, ikey, skey  string
	users, passcodes, faults list
	approve                  time.Duration
	verified                 bool
}

var errUsage = errors.New("usage")

func main() {
	o, err := parse(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt, syscall.SIGTERM)
	if err := run(o, os.Stdin, os.Stdout, end); err != nil {
		fmt.Fprintf(os.Stderr, "duosim: %v\n", err)
		os.Exit(1)
	}
}

func parse(args []string, out, complaints io.Writer) (options, error) {
	o := options{}
	f := flag.NewFlagSet("duosim", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.listen, "listen", "localhost:18443", "")
	f.StringVar(&o.dir, "dir", "", "")
	f.StringVar(&o.ikey, "ikey", "", "")
	f.StringVar(&o.skey, "skey", "", "")
	f.Var(&o.users, "user", "")
	f.Var(&o.passcodes, "passcode", "")
	f.Var(&o.faults, "fault", "")
	f.DurationVar(&o.approve, "approve", -1, "")
	f.BoolVar(&o.verified, "verified-push", false, "")
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, usage)
		return o, err
	case err == nil && f.NArg() > 0:
		err = fmt.Errorf("%q is no option", f.Arg(0))
	case err == nil && o.dir == "":
		err = fmt.Errorf("--dir is missing")
	}
	if err != nil {
		hint := "duosim -h explains all options"
		if strings.Contains(deskUsage, "\n  "+f.Arg(0)+" ") {
			hint = "start duosim with --dir, then type it there; duosim -h explains it"
		}
		fmt.Fprintf(complaints, "duosim: %v\nhint: %s\n", err, hint)
		return o, errUsage
	}
	if o.users == nil {
		o.users = list{"alice"}
	}
	if o.passcodes == nil {
		o.passcodes = list{"123456"}
	}
	return o, nil
}

func (o options) config() duosim.Config {
	c := duosim.Config{Listen: o.listen, Dir: o.dir, IKey: o.ikey, SKey: o.skey, VerifiedPush: o.verified}
	if o.approve >= 0 {
		c.Answer, c.After = duosim.Approved, o.approve
	}
	for i, name := range o.users {
		c.Users = append(c.Users, duosim.User{
			Name: name, Passcodes: o.passcodes,
			Devices: []duosim.Device{duosim.Phone("Phone", fmt.Sprintf("+1555555%04d", 100+i))},
		})
	}
	return c
}
