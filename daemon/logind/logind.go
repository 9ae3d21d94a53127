// Package logind finds out where a client sits: it asks systemd-logind for the
// login session of the process that the kernel named as the socket's peer.
//
// What it finds decides which rules apply and whether a key in this machine's USB
// port may be used, so whoever is logged in from afar must not become somebody at
// the console. It says what logind vouches for, and nothing else.
//
// go-systemd's login1 is not used. It has no GetSessionByPID, hides the connection
// on which one could call it, and makes that connection without a deadline and in
// a way that lets any local user fill factord's table of descriptors (see link.go).
// This package stands on godbus, as login1 does.
package logind

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/factord/factord/daemon/session"
)

// Limits of asking. A question keeps its place until logind has answered or time
// is up, so nobody has more of them under way than this.
const (
	// placeTime is more than logind ever takes on a machine that is busy, or who sits here
	// would be refused their key, and less than people wait for in patience.
	placeTime = 3 * time.Second
	// rootCalls is how many questions about root's processes may be under way.
	rootCalls = 64
	// uidCalls is how many one uid can have, or rather the uids that share one
	// of uidBins.
	uidCalls = 4
	uidBins  = 64
)

// Config is what a Logind needs.
type Config struct {
	Log *slog.Logger
}

// Logind asks the machine's logind. It implements session.Places and is safe for
// concurrent use.
type Logind struct {
	log   *slog.Logger
	bus   *bus
	root  chan struct{}
	bins  [uidBins]chan struct{}
	limit time.Duration // placeTime
	// peerPidfd: the kernel pins a socket's peer itself.
	peerPidfd bool
	down      atomic.Bool // logind can't be asked, and that has been logged
	// answered is called when logind has; for tests.
	answered func()
}

// New returns a Logind. It connects when it is first asked.
func New(c Config) *Logind {
	l := &Logind{log: c.Log, bus: newBus(), root: make(chan struct{}, rootCalls),
		limit: placeTime, peerPidfd: hasPeerPidfd(), answered: func() {}}
	for i := range l.bins {
		l.bins[i] = make(chan struct{}, uidCalls)
	}
	return l
}

// errSlow is logind, or the bus, taking too long, or too many questions that wait.
var errSlow = errors.New("logind does not answer in time")

// Place implements session.Process.
func (p *process) Place(ctx context.Context) (session.Place, error) {
	type result struct {
		place session.Place
		err   error
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.limit, errSlow)
	defer cancel()
	calls := p.root
	if p.peer.UID != 0 {
		calls = p.bins[p.peer.UID%uidBins]
	}
	select {
	case calls <- struct{}{}:
	case <-ctx.Done():
		p.note(context.Cause(ctx))
		return session.Place{}, context.Cause(ctx)
	}
	// Of its own, because a write to a bus that does not read knows no context.
	done := make(chan result, 1)
	go func() {
		defer func() { <-calls }()
		place, err := p.find(ctx)
		done <- result{place, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		r.err = ctx.Err()
	}
	if r.err != nil && ctx.Err() != nil {
		r.err = context.Cause(ctx)
	}
	p.note(r.err)
	return r.place, r.err
}

// note logs that logind can't be asked, or can again: once, not for every login.
// An error that concerns one process says nothing of logind.
func (l *Logind) note(err error) {
	down := errors.Is(err, errAway) || errors.Is(err, errSlow)
	if err != nil && !down || l.down.Swap(down) == down {
		return
	}
	if !down {
		l.log.Info("logind answers again: where users sit is known")
		return
	}
	l.log.Warn("where users sit is unknown", "error", err,
		"hint", "see systemctl status dbus systemd-logind")
}
