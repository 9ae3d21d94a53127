package logind

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// Limits of the connection to the bus.
const (
	// dialTime bounds connecting: the socket, the authentication, the greeting.
	dialTime = time.Second
	// retryTime is how long a bus that can't be reached is not tried again.
	retryTime = 3 * time.Second
	// idleTime is how long a connection that nobody uses stays: it costs 50 kB, and
	// anybody on the bus can send it signals.
	idleTime = 10 * time.Second
)

// errAway is a bus or a logind that is not there, or not for factord.
var errAway = errors.New("logind can't be asked")

// bus is the connection to the system bus. It is made when it is needed and none
// is left, be it the first time or after the bus was restarted.
type bus struct {
	dial  func(limit time.Duration) (*dbus.Conn, error)
	limit time.Duration // dialTime
	retry time.Duration
	idle  time.Duration

	turn chan struct{} // one after the other looks, and connects

	mu     sync.Mutex
	conn   *dbus.Conn
	expiry *time.Timer
	used   time.Time
	failed time.Time // when err came
	err    error
}

func newBus() *bus {
	return &bus{dial: dialSystemBus, limit: dialTime, retry: retryTime, idle: idleTime, turn: make(chan struct{}, 1)}
}

// get returns the connection.
func (b *bus) get(ctx context.Context) (*dbus.Conn, error) {
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if conn, err := b.current(); conn != nil || err != nil {
		return conn, err
	}
	conn, err := b.dial(b.limit)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.failed, b.err = time.Now(), fmt.Errorf("%w: connecting to the system bus: %w", errAway, err)
		return nil, b.err
	}
	b.conn, b.err, b.used = conn, nil, time.Now()
	b.expiry = time.AfterFunc(b.idle, b.rest)
	return conn, nil
}

// current returns the connection that there is, or why there is none yet.
func (b *bus) current() (*dbus.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.conn != nil && b.conn.Connected():
		b.expiry.Reset(b.idle)
		b.used = time.Now()
		return b.conn, nil
	case b.conn != nil:
		b.drop()
	case b.err != nil && time.Since(b.failed) < b.retry:
		return nil, b.err
	}
	return nil, nil
}

// rest ends a connection that is idle; the next question makes another one.
func (b *bus) rest() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.used) >= b.idle {
		b.drop()
	}
}

func (b *bus) drop() {
	if b.conn != nil {
		b.expiry.Stop()
		b.conn.Close()
		b.conn = nil
	}
}

// dialSystemBus connects to the system bus without ever starting one.
func dialSystemBus(limit time.Duration) (*dbus.Conn, error) {
	path, err := busSocket(os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"))
	if err != nil {
		return nil, err
	}
	nc, err := net.DialTimeout("unix", path, limit)
	if err != nil {
		return nil, err
	}
	nc.SetDeadline(time.Now().Add(limit))
	conn, err := dbus.NewConn(newLink(nc))
	if err != nil {
		nc.Close()
		return nil, err
	}
	// The uid as a number: its name would be looked up.
	err = conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Geteuid()))})
	if err == nil {
		err = conn.Hello()
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// busSocket returns the socket of a bus address ("Server Addresses" in the D-Bus
// specification), the first one if there are more; empty is the default.
func busSocket(address string) (string, error) {
	if address == "" {
		return "/run/dbus/system_bus_socket", nil
	}
	address, _, _ = strings.Cut(address, ";")
	keys, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return "", fmt.Errorf("DBUS_SYSTEM_BUS_ADDRESS: %q is no Unix socket", address)
	}
	for pair := range strings.SplitSeq(keys, ",") {
		key, value, _ := strings.Cut(pair, "=")
		value, err := dbus.UnescapeBusAddressValue(value)
		if err != nil {
			return "", fmt.Errorf("DBUS_SYSTEM_BUS_ADDRESS: %w", err)
		}
		switch key {
		case "path":
			return value, nil
		case "abstract":
			return "@" + value, nil
		}
	}
	return "", fmt.Errorf("DBUS_SYSTEM_BUS_ADDRESS: %q names no socket", address)
}
