// Package factordtest runs factord for tests and the demo: a daemon with a clock
// and accounts of its own, or the built programs on a socket in a folder of
// their own. Tests talk to real sockets and a real store, never to mocks.
package factordtest

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/factord/factord/conf"
	"github.com/factord/factord/daemon"
	"github.com/factord/factord/daemon/audit"
	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/backup"
	"github.com/factord/factord/daemon/factor/totp"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/store"
)

// AnyRule lets everybody in who proves a factor, from PAM and as the user.
const AnyRule = `
[[rule]]
name = "any"
factors = ["totp", "backup"]
callers = ["root", "user"]
`

// Options of a daemon in this process. The zero value is a good start.
type Options struct {
	Config string // TOML; AnyRule if empty
	// AttemptTime replaces the time an attempt may take.
	AttemptTime time.Duration
	// LoginEnrolTime replaces the time of one in which somebody enrols.
	LoginEnrolTime time.Duration
	IdleExit       time.Duration
	// Stay is daemon.Server's.
	Stay func() bool
	// Factors are built in beside totp, backup and bypass.
	Factors []factor.Factor
	// Places says where clients are; nil: nothing is known.
	Places session.Places
	// Plugged says which keys are plugged in; nil: nobody can.
	Plugged session.Plugged
	// Log takes the daemon's log; nil drops it.
	Log io.Writer
}

// Daemon is a factord in this process.
type Daemon struct {
	Socket string
	Dir    string
	Clock  *Clock
	Users  *Users
	Store  *store.Store

	t        testing.TB
	options  Options
	copies   *audit.Copies
	settings atomic.Pointer[session.Settings]
	server   *daemon.Server
	ended    chan struct{}
	stop     func()
}

// Start is a time at the beginning of a TOTP step.
var Start = time.Unix(2_000_000_010, 0)

// NewDaemon starts a daemon that ends with the test.
func NewDaemon(t testing.TB, o Options) *Daemon {
	t.Helper()
	d := &Daemon{Dir: t.TempDir(), Clock: NewClock(Start), Users: NewUsers(), t: t, options: o}
	d.Socket = filepath.Join(openDir(t), "f.sock")
	key, err := store.MakeKey(d.Dir)
	if err == nil {
		err = store.Init(d.Dir, key)
	}
	if err != nil {
		t.Fatal(err)
	}
	if o.Config == "" {
		o.Config = AnyRule
	}
	d.Configure(o.Config)
	d.Run()
	t.Cleanup(func() { d.Stop() })
	return d
}

// openDir makes a folder that every uid can reach, unlike t.TempDir.
func openDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "factord")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Configure puts another configuration in force.
func (d *Daemon) Configure(text string) {
	d.t.Helper()
	names := conf.Factors{"totp", "backup"}
	for _, f := range d.options.Factors {
		names = append(names, f.Name())
	}
	c, err := conf.Parse("test.toml", []byte(text), names)
	if err != nil {
		d.t.Fatal(err)
	}
	factors := []factor.Factor{
		totp.New(totp.Config{Issuer: "test", Window: c.TOTP.Window}),
		backup.New(backup.Config{}), backup.NewBypass(backup.Config{}),
	}
	d.settings.Store(&session.Settings{Rules: c.Rules, Factors: append(factors, d.options.Factors...)})
}

// Run opens the store and serves; NewDaemon has done so already.
func (d *Daemon) Run() {
	d.t.Helper()
	key, err := store.ReadKey(d.Dir, "")
	if err != nil {
		d.t.Fatal(err)
	}
	out := d.options.Log
	if out == nil {
		out = io.Discard
	}
	log := slog.New(slog.NewTextHandler(out, nil))
	d.copies = audit.New(audit.Config{Log: log})
	if d.Store, err = store.Open(store.Config{Dir: d.Dir, Key: key, Clock: d.Clock.Now, Committed: d.copies.Committed}); err != nil {
		d.t.Fatal(err)
	}
	l, _, err := daemon.Listen(d.Socket)
	if err != nil {
		d.t.Fatal(err)
	}
	server := &daemon.Server{Log: log, IdleExit: d.options.IdleExit, Stay: d.options.Stay, Sessions: session.New(session.Config{
		Store: d.Store, Users: d.Users, Places: d.options.Places, Plugged: d.options.Plugged, Clock: d.Clock.Now, Log: log, AttemptTime: d.options.AttemptTime,
		LoginEnrolTime: d.options.LoginEnrolTime,
		Settings:       func() session.Settings { return *d.settings.Load() },
		Bypass:         backup.NewBypass(backup.Config{}), Invite: backup.NewInvite(backup.Config{}), Refused: d.copies.Refused,
	})}
	d.serve(server, l)
}

func (d *Daemon) serve(server *daemon.Server, l *net.UnixListener) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	d.server, d.ended = server, ended
	go func() {
		defer close(ended)
		server.Serve(ctx, l)
	}()
	d.stop = func() {
		cancel()
		<-ended
		d.Store.Close()
		d.copies.Close()
	}
}

// Stop ends the daemon as SIGTERM does; Run starts it again on the same state.
func (d *Daemon) Stop() {
	if d.stop != nil {
		d.stop()
		d.stop = nil
	}
}

// Ended is closed when the daemon has ended.
func (d *Daemon) Ended() <-chan struct{} { return d.ended }

// Connections returns how many connections are open.
func (d *Daemon) Connections() int { return d.server.Connections() }

// waitTime is how long Wait waits for what should happen at once.
const waitTime = 10 * time.Second

// Wait waits until something has become true.
func (d *Daemon) Wait(until func() bool) {
	d.t.Helper()
	for end := time.Now().Add(waitTime); !until(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatal("waited in vain")
		}
	}
}
