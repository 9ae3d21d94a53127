package session

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/wire"
)

// watch returns a context that ends also when the client hangs up, for the time in
// which nothing is read from it. A client that speaks now breaks the protocol. stop
// ends the watch and returns what the client has done, if that ended the context.
func (c *conn) watch(ctx context.Context) (watched context.Context, stop func() error) {
	watched, cancel := context.WithCancelCause(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		switch err := c.lines.Await(); {
		case err == nil:
			cancel(wire.ErrGrammar)
		case !errors.Is(err, os.ErrDeadlineExceeded): // that is stop, or the attempt's end
			cancel(errGone)
		}
	}()
	return watched, func() error {
		c.net.SetReadDeadline(past)
		<-over
		defer cancel(nil)
		c.resumeReading()
		if watched.Err() == nil || ctx.Err() != nil {
			return nil
		}
		err := context.Cause(watched)
		c.over = true
		return err
	}
}

// outside does what asks somebody outside, if f is a factor that does, and ends it
// when the client hangs up.
func outside[T any](a *attempt, ctx context.Context, f factor.Factor, do func(context.Context) (T, error)) (done T, err error) {
	if _, asks := f.(factor.Asker); !asks {
		return do(ctx)
	}
	watched, stop := a.watch(ctx)
	defer func() { // after a panic too: nobody may read beside the session
		if gone := stop(); gone != nil {
			err = gone
		}
	}()
	return do(watched)
}

// past is a deadline that ends a read at once.
var past = time.Unix(1, 0)

// resumeReading puts the deadline of reads back.
func (c *conn) resumeReading() {
	c.net.SetReadDeadline(c.deadline)
	if c.ctx.Err() != nil {
		c.net.SetReadDeadline(past)
	}
}

// inquireRacing is inquire with an end: when p is decided the question is over, and
// there is no answer. If p comes to nothing, the question stays.
func (c *conn) inquireRacing(text string, p *pending) (factor.Secret, error) {
	answered, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-answered:
		case <-p.done:
			if p.err == nil {
				c.net.SetReadDeadline(past)
			}
		}
	}()
	answer, err := c.inquire(wire.Secret, text, wire.MaxAnswer)
	close(answered)
	<-watched
	decided := false
	select {
	case <-p.done:
		decided = p.err == nil
	default:
	}
	c.resumeReading()
	if decided && errors.Is(err, os.ErrDeadlineExceeded) && c.ctx.Err() == nil && time.Now().Before(c.deadline) {
		c.raced, c.over = true, true // an answer may be on its way, to a question that is gone
		return nil, nil
	}
	return answer, err
}
