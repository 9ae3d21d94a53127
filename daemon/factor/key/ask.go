package key

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/wire/agent"
)

const (
	// patience is how long a key and its owner are waited for.
	patience = 45 * time.Second
	// settling is how long nothing is told to the person while a job has only begun.
	settling = 2 * time.Second
)

// Asking puts one job to a device, as factor.Outside and factor.Draft want it: Ask and
// Wait.Until, or Run.
type Asking struct {
	Device Device
	Job    Job
	// Key is how the person is told which key it is: Name, or "" for "your key".
	Key string
	// Untouched: it asks for no touch.
	Untouched bool

	state Progress
	done  chan error
	news  chan Progress // of one, and the newest
	ended bool
	err   error
}

// Evidence reports whether the job is done and its reply there.
func (a *Asking) Evidence() bool { return a.ended && a.err == nil }

// Ask begins and returns when there is something to tell the person: the key waits for a
// touch, or is waited for. It returns nil if all is done by then. An error is a
// *factor.Lapse, a *factor.Outage, or the end of ctx, with which the job ends too.
func (a *Asking) Ask(ctx context.Context) (*factor.Wait, error) {
	if a.Device == nil {
		return nil, errNoDevice()
	}
	a.begin(ctx)
	quiet := time.NewTimer(settling)
	defer quiet.Stop()
	for {
		select {
		case a.state = <-a.news:
			if !a.tells() {
				continue
			}
		case err := <-a.done:
			return nil, a.end(ctx, err)
		case <-quiet.C:
		}
		return &factor.Wait{Cue: a.cue(), Until: a.until}, nil
	}
}

// Run is all of it.
func (a *Asking) Run(ctx context.Context, say func(string)) error {
	w, err := a.Ask(ctx)
	if w == nil {
		return err
	}
	say(w.Cue)
	return w.Until(ctx, say)
}

func (a *Asking) begin(ctx context.Context) {
	a.state, a.ended, a.err = Progress{}, false, nil
	a.done, a.news = make(chan error, 1), make(chan Progress, 1)
	news := a.news
	job := a.Job
	job.PIN = bytes.Clone(job.PIN) // the caller's is wiped, perhaps before the job has ended
	job.Say = func(p Progress) {
		select { // an older one that nobody has looked at is dropped
		case <-news:
		default:
		}
		select {
		case news <- p:
		default:
		}
	}
	go func(done chan<- error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		defer job.PIN.Wipe()
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("asking a key: %v", r)
			}
		}()
		done <- a.Device.Do(ctx, job)
	}(a.done)
}

// until waits for the end.
func (a *Asking) until(ctx context.Context, say func(string)) error {
	last := a.cue()
	for {
		select {
		case a.state = <-a.news:
			if text := a.cue(); text != last && a.tells() {
				last = text
				say(text)
			}
		case err := <-a.done:
			return a.end(ctx, err)
		}
	}
}

// end takes the job's end. One of the login is no failure of the key.
func (a *Asking) end(ctx context.Context, err error) error {
	select {
	case a.state = <-a.news:
	default:
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	} else if errors.Is(err, context.DeadlineExceeded) {
		err = a.late()
	}
	a.ended, a.err = true, err
	if err != nil && ctx.Err() == nil {
		a.err = failure(a.name(), err)
	}
	return a.err
}

// late is what a job has waited for in vain.
func (a *Asking) late() error {
	e := &agent.Error{Code: agent.Late, Text: "no end within " + patience.String()}
	switch a.state.State {
	case agent.Absent:
		e.Code = agent.Gone
	case agent.Busy:
		e.Code = agent.Held
	case agent.Touch:
		e.Code = agent.NoTouch
	case agent.Ready:
		if a.Job.Verb == agent.Capture {
			e.Code = agent.NoTouch
		}
	}
	return e
}
