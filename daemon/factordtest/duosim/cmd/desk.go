package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/factord/factord/daemon/factordtest/duosim"
)

// desk is where somebody answers for everybody's phone.
type desk struct {
	sim  *duosim.Server
	auto bool

	mu  sync.Mutex // of out
	out io.Writer
}

// run serves until end, "quit", or never if in has ended before that.
func run(o options, in io.Reader, out io.Writer, end <-chan os.Signal) error {
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	o.dir = dir
	sim, err := duosim.New(o.config())
	if err != nil {
		return err
	}
	defer sim.Close()
	d := &desk{sim: sim, auto: o.approve >= 0, out: out}
	for _, f := range o.faults {
		if err := d.fault(strings.Fields(f)); err != nil {
			return err
		}
	}
	d.welcome(o)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go d.announce(ctx)
	quit := make(chan struct{})
	go d.listen(in, quit)
	select {
	case <-end:
	case <-quit:
	}
	return nil
}

func (d *desk) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, format+"\n", args...)
}

func (d *desk) welcome(o options) {
	d.say("[duo]\nikey = %q\nskey = %q\nhost = %q\nca_file = %q\n", d.sim.IKey(), d.sim.SKey(), d.sim.Host(), d.sim.CAFile())
	d.say("# Put this into a configuration that only its owner reads, with a rule:\n\n[[rule]]\nfactors = [\"duo\", \"backup\"]\n\n# Users: %s. Passcodes: %s.", plain(o.users.String()), plain(o.passcodes.String()))
	if d.auto {
		d.say("# Pushes are approved after %s.", o.approve)
	} else {
		d.say("# Pushes wait for y, n or f here; \"help\" says what else.")
	}
}

// announce shows each push. What a client said about itself is stripped: this is
// a terminal.
func (d *desk) announce(ctx context.Context) {
	for {
		p, err := d.sim.NextPush(ctx, "")
		if err != nil {
			return
		}
		text := "push"
		if p.Factor == "phone" {
			text = "call"
		}
		d.say("%s to %s on %s%s%s", text, plain(p.User), plain(p.DeviceName), about(" from ", p.IPAddr), about(": ", described(p.Info)))
		switch {
		case d.auto:
		case p.Code != "":
			d.say("code CODE (as the client shows it), n or f?")
		default:
			d.say("y, n or f?")
		}
	}
}

// described is a pushinfo in one line.
func described(info url.Values) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(info)) {
		for _, v := range info[name] {
			all = append(all, name+" "+v)
		}
	}
	return strings.Join(all, ", ")
}

func about(before, text string) string {
	if text == "" {
		return ""
	}
	return before + plain(text)
}

// plain drops what could move a cursor, and what is too long to read.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "..."
	}
	return s
}

// maxLine bounds a typed line.
const maxLine = 4096

// listen reads commands. At the end of the input the service goes on.
func (d *desk) listen(in io.Reader, quit chan<- struct{}) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		if words[0] == "quit" {
			close(quit)
			return
		}
		if err := d.do(words[0], words[1:]); err != nil {
			d.say("%v", plain(err.Error()))
		}
	}
}

func (d *desk) do(verb string, args []string) error {
	switch {
	case verb == "y" && len(args) < 2:
		return d.decide(args, duosim.Approved)
	case verb == "n" && len(args) < 2:
		return d.decide(args, duosim.Denied)
	case verb == "f" && len(args) < 2:
		return d.decide(args, duosim.Reported)
	case verb == "code" && len(args) == 1:
		return d.code(args[0])
	case verb == "activate" && len(args) == 1:
		return d.sim.Activate(args[0], duosim.Phone("New phone", "+15555550199"))
	case verb == "fault":
		return d.fault(args)
	case verb == "clear" && len(args) == 0:
		return d.sim.ClearFaults()
	case verb == "help" || verb == "-h" || verb == "--help":
		d.say("%s", deskUsage)
		return nil
	case verb == "activate":
		return errors.New("activate CODE: what is in the QR code, duo://...; the client that enrols shows it")
	case verb == "code":
		return errors.New("code CODE: the digits that the client shows")
	case verb == "who" && len(args) == 0:
		for _, u := range d.sim.Users() {
			d.say("%s: %d devices, status %q%s", plain(u.Name), len(u.Devices), u.Status, about(", sent: ", strings.Join(d.sim.SentPasscodes(u.Name), " ")))
		}
		return nil
	}
	return errors.New("y, n, f, code, activate, fault, clear, who or quit? \"help\" explains them")
}

// decide answers what is pending.
func (d *desk) decide(args []string, a duosim.Answer) error {
	user := strings.Join(args, "")
	all := d.sim.Pending(user)
	if len(all) == 0 {
		return errors.New("nothing is pending")
	}
	for _, p := range all {
		if a == duosim.Approved && p.Code != "" {
			return errors.New("this push wants its code: code CODE")
		}
		if err := d.sim.Answer(p.Txid, a); err != nil {
			return err
		}
	}
	return nil
}

func (d *desk) code(code string) error {
	for _, p := range d.sim.Pending("") {
		if p.Code != "" {
			return d.sim.ApproveCode(p.User, code)
		}
	}
	return errors.New("no verified push is pending")
}

// fault reads NAME[=X] [ENDPOINT] [TIMES].
func (d *desk) fault(args []string) error {
	if len(args) == 0 || args[0] == "-h" || args[0] == "help" {
		texts := faultTexts()
		for _, f := range duosim.Faults() {
			d.say("  %-17s %s", f, texts[f])
		}
		d.say("fault NAME[=X] [ENDPOINT] [TIMES], then clear")
		return nil
	}
	endpoint, times := "", duosim.Forever
	for _, a := range args[1:] {
		if n, err := strconv.Atoi(a); err == nil && n > 0 {
			times = n
		} else {
			endpoint = a
		}
	}
	return d.sim.Fault(duosim.Fault(args[0]), endpoint, times)
}
