// Package daemon runs factord: it takes connections, keeps any one of them from
// using up what the others need, and tells systemd how it is.
package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/wire"
)

// Limits of the accept loop.
const (
	// stopTime is how long open attempts have to hear their verdict when the
	// daemon stops.
	stopTime = 3 * time.Second
	// acceptPause is the pause after an accept that failed for want of
	// descriptors or memory.
	acceptPause = 50 * time.Millisecond
	// restTime is how long after the last connection memory goes back to the
	// system.
	restTime = 10 * time.Second
)

// Server accepts connections and serves each with a session.
type Server struct {
	Sessions *session.Sessions
	Log      *slog.Logger
	// IdleExit ends Serve when there has been no connection for so long;
	// 0 never does.
	IdleExit time.Duration

	// Stay, if set, tells that the server must not end though it is idle.
	Stay func() bool
	// Crowd, if set, is told when many connections are open, and when they no longer
	// are; see crowd.go.
	Crowd func(many bool)

	crowd crowd
	mu    sync.Mutex
	doors doors
	idle  *time.Timer
	rest  *time.Timer
	done  sync.WaitGroup
}

// Serve serves l until ctx ends or the server has been idle for IdleExit. It
// returns when every session has ended, or stopTime later.
func (s *Server) Serve(ctx context.Context, l *net.UnixListener) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(session.ErrStopping)
	defer context.AfterFunc(ctx, func() { l.Close() })()
	s.doors.init()
	if s.IdleExit > 0 {
		s.mu.Lock()
		s.idle = time.AfterFunc(s.IdleExit, func() { s.whenIdle(cancel) })
		s.mu.Unlock()
	}
	// Sessions end by a context of their own, so that its cause is known.
	open, end := context.WithCancelCause(context.WithoutCancel(ctx))
	err := s.accept(ctx, open, l)
	if errors.Is(context.Cause(ctx), errIdle) {
		s.done.Wait()
	}
	end(session.ErrStopping)
	s.wait()
	return err
}

// accept takes connections until ctx ends.
func (s *Server) accept(ctx, open context.Context, l *net.UnixListener) error {
	for {
		nc, err := l.AcceptUnix()
		if ctx.Err() != nil {
			if nc != nil {
				s.admit(open, nc) // it came just before the end; it is heard
			}
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			s.Log.Warn("accepting a connection", "error", err)
			time.Sleep(acceptPause)
			continue
		}
		s.admit(open, nc)
		if s.alone() {
			runtime.Gosched() // the session first: its client waits for the greeting
		}
	}
}

// admit starts a session for nc, if the limits let it in.
func (s *Server) admit(ctx context.Context, nc *net.UnixConn) {
	peer, err := peerOf(nc)
	if err != nil {
		s.Log.Warn("asking for the peer's credentials", "error", err)
		nc.Close()
		return
	}
	s.mu.Lock()
	place, ok := s.doors.enter(peer.UID, nc)
	s.crowd.count(s.doors.total, s.Crowd)
	s.mu.Unlock()
	if !ok {
		_, final := wire.Verdict{Reason: wire.ReasonUnavailable, Text: "too many connections"}.Lines()
		nc.SetWriteDeadline(time.Now().Add(acceptPause))
		nc.Write([]byte(final + "\n"))
		nc.Close()
		return
	}
	s.done.Add(1)
	go func() {
		defer s.done.Done()
		defer s.leave(place)
		growStack()
		s.Sessions.Serve(ctx, lingering(nc, s.alone), peer, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.doors.busy(place)
		})
	}()
}

func (s *Server) leave(p *place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doors.leave(p)
	s.crowd.count(s.doors.total, s.Crowd)
	if s.doors.total > 0 {
		return
	}
	if s.idle != nil {
		s.idle.Reset(s.IdleExit)
	}
	if s.rest == nil {
		s.rest = time.AfterFunc(restTime, s.giveBack)
	} else {
		s.rest.Reset(restTime)
	}
}

// giveBack returns memory that a busy hour has needed.
func (s *Server) giveBack() {
	if s.Connections() == 0 {
		debug.FreeOSMemory()
	}
}

// errIdle is the cause with which an idle server ends.
var errIdle = errors.New("idle")

// whenIdle ends the server if there is still no connection. One that arrives
// now waits in the socket's queue for the next factord.
func (s *Server) whenIdle(cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.doors.total > 0:
	case s.Stay != nil && s.Stay():
		s.idle.Reset(s.IdleExit)
	default:
		cancel(errIdle)
	}
}

// wait gives open attempts time to hear that they are refused.
func (s *Server) wait() {
	ended := make(chan struct{})
	go func() { s.done.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(stopTime):
		s.Log.Warn("stopping with sessions open")
	}
}

// Connections returns how many connections are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doors.total
}

// alone reports whether one connection is open and no other.
func (s *Server) alone() bool { return s.Connections() == 1 }

func peerOf(nc *net.UnixConn) (peer wire.Peer, err error) {
	raw, err := nc.SyscallConn()
	if err != nil {
		return peer, err
	}
	ctlErr := raw.Control(func(fd uintptr) { peer, err = wire.PeerOf(int(fd)) })
	return peer, errors.Join(err, ctlErr)
}

// growStack makes room on a new goroutine's stack at once for what a session
// needs, which otherwise is copied from stack to larger stack four times.
//
//go:noinline
func growStack() {
	var room [12 << 10]byte
	runtime.KeepAlive(&room)
}
