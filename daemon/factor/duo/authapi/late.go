package authapi

import (
	"context"
	"errors"
	"time"
)

// Whoever goes away while Duo is still sending a push has disturbed a person all the
// same, whose no has to be heard. Only Duo's txid leads to it. So the request goes on for
// a moment without its caller, who is gone at once; nothing is ever allowed by it.
const (
	lateTime = 2 * time.Second
	maxLate  = 64 // at a time; of more, the txid is never known
)

// Late is a request that goes on without its caller.
type Late struct {
	done chan struct{}
	txid string
}

// TxID waits for Duo's name of what was asked, "" if there is none.
func (l *Late) TxID(ctx context.Context) string {
	select {
	case <-l.done:
		return l.txid
	case <-ctx.Done():
		return ""
	}
}

// lasting is once for a request that makes a telephone ring. Once it has a connection it
// may go on when its caller is gone; the error then has Late.
func (c *Client) lasting(ctx, parent context.Context, q request, v *verdict) *Error {
	inner, cancel := context.WithCancel(c.life)
	a := &attempt{parent: parent, began: time.Now()}
	l := &Late{done: make(chan struct{})}
	into, err := new(verdict), &Error{Kind: Ended, Call: q.name, cause: errors.New("a panic")}
	go func() {
		defer close(l.done)
		defer func() { _ = recover() }()
		if err = c.carry(inner, a, q, into); err == nil {
			l.txid = into.TxID
		}
	}()
	select {
	case <-l.done:
		cancel()
		*v = *into
		return err
	case <-ctx.Done():
	}
	if parent.Err() != nil && a.connected.Load() && c.leave(l, cancel) {
		return &Error{Kind: Ended, Call: q.name, cause: parent.Err(), Late: l}
	}
	cancel()
	<-l.done
	return c.failed(a, q, ctx.Err())
}

// leave lets a request go on, if there are not too many of them.
func (c *Client) leave(l *Late, cancel context.CancelFunc) bool {
	select {
	case c.late <- struct{}{}:
	default:
		return false
	}
	go func() {
		timer := time.NewTimer(lateTime)
		defer timer.Stop()
		select {
		case <-l.done:
		case <-timer.C:
		}
		cancel()
		<-l.done
		<-c.late
	}()
	return true
}
