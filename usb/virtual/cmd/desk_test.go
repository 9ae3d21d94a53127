package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/usb/virtual/usbip"
)

// opened is a desk with a socket and keys that plug into hosts of this process.
func opened(t *testing.T, keys ...string) (d *desk, socket string, hosts map[uint32]*usbip.Host) {
	t.Helper()
	ctx, quit := context.WithCancel(t.Context())
	hosts = map[uint32]*usbip.Host{}
	var served sync.WaitGroup
	d = &desk{quit: quit}
	d.plug = func(_ context.Context, e *entry) error {
		ours, theirs := net.Pipe()
		served.Go(func() { e.key.Serve(ctx, ours) })
		hosts[e.serial] = usbip.NewHost(theirs)
		// It answers, so it is plugged in.
		_, err := hosts[e.serial].Control(t.Context(), usbip.Setup{RequestType: 0x80, Length: 2}, nil)
		return err
	}
	for _, words := range keys {
		e, err := newEntry(words)
		if err != nil {
			t.Fatal(err)
		}
		d.keys = append(d.keys, e)
		if err := d.plug(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	socket = filepath.Join(t.TempDir(), "keys")
	if err := d.listen(ctx, socket); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		quit()
		served.Wait()
	})
	return d, socket, hosts
}

// at is what --at prints, or why it fails.
func at(t *testing.T, socket, order string) string {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var out bytes.Buffer
	if err := say(ctx, socket, order, &out); err != nil {
		return "error: " + err.Error()
	}
	return strings.TrimSpace(out.String())
}

// TestCommands: what each of them answers.
func TestCommands(t *testing.T) {
	_, socket, hosts := opened(t, "serial=1 short=static:abc", "serial=2 apps=otp long=static:xyz", "serial=3 apps=fido")
	for _, h := range hosts { // reads what is typed
		go func() {
			for {
				if _, err := h.In(t.Context(), 1, 8); err != nil {
					return
				}
			}
		}()
	}
	for _, c := range []struct{ order, want string }{
		{"status", "ok 1 1050:0407 plugged, 2 1050:0401 plugged, 3 1050:0402 plugged"},
		{"touch 1 short", "ok abc"},
		{"touch 2 long", "ok xyz"},
		{"touch 2 short", "error: nothing waits for a touch, and the slot types nothing"},
		{"touch 3 short", "error: nothing waits for a touch, and the slot types nothing"},
		{"touch 1", "error: touch short or long?"},
		{"touch short", `error: which key? "short" is none`},
		{"touch 4 short", `error: which key? "4" is none`},
		{`type 1 a b\r`, "ok"},
		{"type 1 ä", `error: no key types 'Ã'`},
		{"blinks 1 1ms", "error: the key does not blink"},
		{"blinks 1 soon", `error: time: invalid duration "soon"`},
		{"asked 1", "ok otp 0 fido 0 piv 0"},
		{"fido-touch 1 grant", "ok"},
		{"fido-touch 1 maybe", "error: never, grant or deny?"},
		{"unplug 1", "ok"},
		{"unplug 1", "error: the key is not plugged in"},
		{"touch 1 short", "error: the key is not plugged in"},
		{"status", "ok 1 1050:0407, 2 1050:0401 plugged, 3 1050:0402 plugged"},
		{"dance 1", `error: "dance" is no command; virtual-yubikey -h lists them`},
	} {
		if got := at(t, socket, c.order); got != c.want {
			t.Errorf("%s: %q, want %q", c.order, got, c.want)
		}
	}
}

// TestPlugAgain: a key that is plugged in anew has new power.
func TestPlugAgain(t *testing.T) {
	_, socket, _ := opened(t, "serial=1")
	for _, c := range []struct{ order, want string }{
		{"unplug", "ok"},
		{"plug", "ok"},
		{"status", "ok 1 1050:0407 plugged"},
		{"quit", "ok"},
	} {
		if got := at(t, socket, c.order); got != c.want {
			t.Errorf("%s: %q, want %q", c.order, got, c.want)
		}
	}
}

// TestLines: many commands on one connection, and what is no line.
func TestLines(t *testing.T) {
	d, _, _ := opened(t, "serial=1")
	var out bytes.Buffer
	d.read(t.Context(), strings.NewReader("\n  \nstatus\ndance\n"+strings.Repeat("x", maxLine+1)+"\nstatus\n"), &out)
	if got, want := out.String(), "ok 1 1050:0407 plugged\nerror: \"dance\" is no command; virtual-yubikey -h lists them\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestOptions: what the command line can say.
func TestOptions(t *testing.T) {
	for _, args := range [][]string{
		{"--key", "serial=1"},
		{"--key", "serial=1", "--key", "serial=2", "--socket", "s", "--usbip", "localhost:0"},
		{"--at", "s", "touch", "1", "short"},
	} {
		if _, err := parse(args, io.Discard, io.Discard); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
	for _, args := range [][]string{
		{}, {"--key", "serial=1", "status"}, {"--at", "s"}, {"--at", "s", "--key", "serial=1", "status"}, {"--loud"},
	} {
		if o, err := parse(args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q: %+v", args, o)
		}
	}
}

// TestExport: with --usbip the keys wait for whoever imports them.
func TestExport(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	socket := filepath.Join(t.TempDir(), "keys")
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, options{keys: list{"serial=1"}, socket: socket, usbip: "localhost:0"}, strings.NewReader(""), io.Discard)
	}()
	limit := time.Now().Add(time.Minute)
	for at(t, socket, "status") != "ok 1 1050:0407" {
		if time.Now().After(limit) {
			t.Fatal(at(t, socket, "status"))
		}
	}
	if got, want := at(t, socket, "plug"), "error: with --usbip the other end plugs in"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := run(t.Context(), options{keys: list{"serial=1", "serial=1"}}, strings.NewReader(""), io.Discard); err == nil {
		t.Error("two keys with one serial number")
	}
}
