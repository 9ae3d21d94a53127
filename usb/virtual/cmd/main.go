// Command virtual-yubikey plugs YubiKeys in software into the USB of this machine, to
// test programs with: they take them for real.
//
//	go run ./usb/virtual/cmd --key "serial=12345678 long=hmac:303132333435363738393a3b3c3d3e3f40414243"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const usage = `virtual-yubikey: YubiKeys in software, plugged into this machine's USB.

  virtual-yubikey --key "WORDS" [--key "WORDS"]... [--socket PATH] [--usbip ADDRESS]
  virtual-yubikey --at PATH COMMAND      says COMMAND to the one with that socket

It needs root and the kernel module vhci-hcd (and usbhid, hid-generic, evdev for what
uses the key). Its keys are for tests: their secrets are on the command line.

` + keyUsage + `
  --socket PATH      also take commands there; --at PATH is the other end
  --usbip ADDRESS    plug nothing in, but serve the keys as 1-1, 1-2... to
                     "usbip attach -r HOST -b 1-1", on localhost:3240 for instance

` + deskUsage + `
Each command is answered by one line, "ok ..." or "error: ...", when what it asks for
has been done; of --at the exit status is 0 or 1. It runs until "quit" or SIGTERM, and
also when its input has ended. Exit status: 0 ended as asked, 1 failed, 2 usage.
`

// list is a flag that may be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// options of the command line.
type options struct {
	keys                     list
	socket, usbip, at, order string
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.at != "" {
		err = say(ctx, o.at, o.order, os.Stdout)
	} else {
		err = run(ctx, o, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "virtual-yubikey: %v\n", err)
		os.Exit(1)
	}
}

func parse(args []string, out, complaints io.Writer) (options, error) {
	o := options{}
	f := flag.NewFlagSet("virtual-yubikey", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Var(&o.keys, "key", "")
	f.StringVar(&o.socket, "socket", "", "")
	f.StringVar(&o.usbip, "usbip", "", "")
	f.StringVar(&o.at, "at", "", "")
	err := f.Parse(args)
	o.order = strings.Join(f.Args(), " ")
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, usage)
		return o, err
	case err != nil:
	case o.at != "" && (o.order == "" || len(o.keys) > 0):
		err = errors.New("--at wants a command, and no keys")
	case o.at == "" && f.NArg() > 0:
		err = fmt.Errorf("%q is no option", f.Arg(0))
	case o.at == "" && o.keys == nil:
		err = errors.New("--key is missing")
	}
	if err != nil {
		fmt.Fprintf(complaints, "virtual-yubikey: %v\nhint: virtual-yubikey -h explains all options\n", err)
		return o, errUsage
	}
	return o, nil
}
