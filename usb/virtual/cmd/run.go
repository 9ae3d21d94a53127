package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/factord/factord/usb/virtual/usbip"
)

// run plugs the keys in and takes commands until ctx ends or somebody says "quit".
func run(ctx context.Context, o options, in io.Reader, out io.Writer) error {
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	d := &desk{quit: quit, plug: func(_ context.Context, e *entry) error { return e.key.Plug(ctx) }}
	for _, words := range o.keys {
		e, err := newEntry(words)
		if err != nil {
			return err
		}
		for _, other := range d.keys {
			if other.serial == e.serial {
				return fmt.Errorf("two keys with serial number %d", e.serial)
			}
		}
		d.keys = append(d.keys, e)
	}
	if err := d.start(ctx, o); err != nil {
		return err
	}
	fmt.Fprintln(out, d.status())
	go d.read(ctx, in, out)
	<-ctx.Done()
	for _, e := range d.keys {
		e.key.Unplug() // one that is out stays out
	}
	return nil
}

// start plugs in, and only then listens: who is answered finds the keys there.
func (d *desk) start(ctx context.Context, o options) error {
	plug := d.plugAll
	if o.usbip != "" {
		plug = func(ctx context.Context) error { return d.serve(ctx, o.usbip) }
	}
	if err := plug(ctx); err != nil || o.socket == "" {
		return err
	}
	return d.listen(ctx, o.socket)
}

func (d *desk) plugAll(ctx context.Context) error {
	for _, e := range d.keys {
		if e.out {
			continue
		}
		if err := d.plug(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// serve gives the keys to whoever imports them, over TCP.
func (d *desk) serve(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := usbip.Server{}
	for _, e := range d.keys {
		server.Exports = append(server.Exports, e.key)
	}
	d.plug = func(context.Context, *entry) error {
		return errors.New("with --usbip the other end plugs in")
	}
	go server.Serve(ctx, l)
	return nil
}

// listen takes commands at a socket that root alone may use.
func (d *desk) listen(ctx context.Context, path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				defer context.AfterFunc(ctx, func() { conn.Close() })()
				d.read(ctx, conn, conn)
			}()
		}
	}()
	return nil
}

// say is the client of listen: one command, one answer.
func say(ctx context.Context, path, order string, out io.Writer) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return err
	}
	var once sync.Once
	end := func() { once.Do(func() { conn.Close() }) }
	defer end()
	defer context.AfterFunc(ctx, end)()
	if _, err := fmt.Fprintln(conn, order); err != nil {
		return err
	}
	answer, err := bufio.NewReader(io.LimitReader(conn, maxLine)).ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if why, failed := strings.CutPrefix(strings.TrimSpace(answer), "error: "); failed {
		return errors.New(why)
	}
	_, err = io.WriteString(out, answer)
	return err
}
