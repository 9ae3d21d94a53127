package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// Waiting for a person outside the conversation. The cue is seen before the wait:
// at once where text shows at once, else with a question that ends with Enter.

// abandon ends what is still waited for when the attempt goes another way, leaves its
// record, and reports whether the person had said no by then.
func (a *attempt) abandon() (denied bool) {
	p := a.pending
	if p == nil {
		return false
	}
	a.pending = nil
	return a.drop(p)
}

// drop is abandon for a claim that nobody may wait for yet. What came to nothing, and
// had nothing to book, leaves no record.
func (a *attempt) drop(p *pending) (denied bool) {
	p.end()
	if p.done != nil {
		<-p.done
	}
	unbooked := (p.auto || p.done == nil) && p.claim.Outside.Admit == nil && !p.guess
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), settleTime)
	defer cancel()
	a.paid = true // by book
	a.decide(ctx, func(tx *store.Tx) (ruling, error) {
		r, err := a.settleOutside(tx, p, errAbandoned, 0)
		denied = err == nil && r.reason == wire.ReasonPushDenied
		r.more = true // the attempt's own verdict comes beside it
		r.unasked = unbooked && r.log == errAbandoned.Error()
		return r, err
	})
	return denied
}

// errAbandoned: nobody waits for the decision any more.
var errAbandoned = fmt.Errorf("given up: %w", wire.ErrCancelled)

// begin waits for a person in the background, until the attempt's end.
func (a *attempt) begin(p *pending, w *factor.Wait) {
	p.cue, p.says, p.ready, p.done = w.Cue, make(chan string, 1), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(p.done)
		defer a.wake(p)
		defer close(p.ready)
		defer func() {
			if r := recover(); r != nil {
				p.err = fmt.Errorf("%w: waiting: %v", errPanicked, r)
			}
		}()
		p.err = w.Until(p.ctx, func(text string) {
			select {
			case <-p.says: // an older one that has not been shown yet
			default:
			}
			p.says <- text
			a.wake(p)
		})
	}()
}

// wake ends the read of who waits in await, to look at what has changed.
func (a *attempt) wake(p *pending) {
	if p.awaited.Load() {
		a.net.SetReadDeadline(past)
	}
}

// errPanicked is the end of a wait by a mistake of ours.
var errPanicked = errors.New("internal error")

// await returns when what is waited for is decided, the attempt is over, or the
// client has gone. Texts show on the way where they show at once.
//
// It reads from the client meanwhile, as watch does, but with nobody beside it: of
// thousands of people who look at their phones each one costs memory.
func (a *attempt) await(ctx context.Context, p *pending) error {
	show := func(string) error { return nil }
	if !a.auth.Race && (a.auth.Conv == wire.ConvPrompt || a.auth.Conv == wire.ConvInfo) {
		show = func(text string) error { a.info(text); return a.lines.Flush() }
	}
	defer a.resumeReading()
	defer func() { p.end(); <-p.done }()
	if show(p.cue) != nil {
		return errGone
	}
	p.awaited.Store(true)
	for {
		a.resumeReading() // and look then, so that no wake is lost
		select {
		case text := <-p.says:
			show(text)
			continue
		case <-p.ready:
			return p.err
		case <-ctx.Done():
			return context.Cause(ctx)
		default:
		}
		err := a.lines.Await()
		switch {
		case err == nil: // a client that speaks now breaks the protocol
			a.over = true
			return wire.ErrGrammar
		case !errors.Is(err, os.ErrDeadlineExceeded):
			a.over = true
			return errGone
		case !time.Now().Before(a.deadline):
			<-ctx.Done()
		}
	}
}
