package otp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/factord/factord/usb/hid"
)

const (
	// readyLimit is how long a key may be busy with a report, or start.
	readyLimit = 1200 * time.Millisecond
	// silenceLimit is how long a key may do nothing that can be seen before an answer.
	silenceLimit = 1200 * time.Millisecond
	// resetLimit bounds what is done after the end of a context: whoever cancels waits
	// for it.
	resetLimit = 150 * time.Millisecond

	readyPoll  = 5 * time.Millisecond
	answerPoll = 20 * time.Millisecond
	touchPoll  = 30 * time.Millisecond

	// answerLimit is how many chunks the flags can number.
	answerLimit = maskNumber + 1

	// A key with several interfaces refuses its OTP commands for up to three seconds
	// after another one was used.
	reclaimTries = 6
	reclaimPause = 500 * time.Millisecond
)

// exchange moves commands and answers.
type exchange struct {
	features hid.Features
	// onTouch is called once for each time the key begins to wait for a touch; nil:
	// nobody is told.
	onTouch func()
}

// status returns the status of the key, which then does nothing.
func (e *exchange) status(ctx context.Context) (Status, error) {
	r, err := e.features.Get(ctx)
	if err != nil {
		return Status{}, err
	}
	// Left behind by a program that was killed.
	if r[chunkSize]&flagBusy == 0 && r[chunkSize] != 0 {
		if err := e.features.Set(ctx, reset); err != nil {
			return Status{}, err
		}
	}
	r, err = e.ready(ctx)
	if err != nil {
		return Status{}, err
	}
	if r[chunkSize] != 0 {
		return Status{}, fmt.Errorf("%w: flags %#02x instead of a status", ErrGarbled, r[chunkSize])
	}
	return parseStatus(r), nil
}

// ready waits until the key takes a report, and returns the one that said so.
func (e *exchange) ready(ctx context.Context) (report, error) {
	for began := time.Now(); ; {
		r, err := e.features.Get(ctx)
		if err != nil || r[chunkSize]&flagBusy == 0 {
			return r, err
		}
		if time.Since(began) > readyLimit {
			return report{}, ErrStuck
		}
		if err := pause(ctx, readyPoll); err != nil {
			return report{}, err
		}
	}
}

// command sends a command and returns its answer, in whole chunks. Whatever happens, the
// key has nothing left to do afterwards. A key that refuses is asked again: it may have
// been used through another interface just before.
func (e *exchange) command(ctx context.Context, c command, payload [payloadSize]byte) ([]byte, error) {
	for try := 1; ; try++ {
		answer, err := e.once(ctx, c, payload)
		if !errors.Is(err, ErrRejected) || try == reclaimTries {
			return answer, err
		}
		if err := pause(ctx, reclaimPause); err != nil {
			return nil, err
		}
	}
}

// once is command without another try.
func (e *exchange) once(ctx context.Context, c command, payload [payloadSize]byte) ([]byte, error) {
	reports, err := frame(c, payload)
	if err != nil {
		return nil, err
	}
	defer e.stop(ctx)
	for _, r := range reports {
		if _, err := e.ready(ctx); err != nil {
			return nil, err
		}
		if err := e.features.Set(ctx, r); err != nil {
			return nil, err
		}
	}
	return e.receive(ctx)
}

// stop ends what the key does, also when the context has ended: a key that goes on to
// wait for a touch would answer it.
// What the key has answered before is good, though it may be gone by now.
func (e *exchange) stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resetLimit)
	defer cancel()
	if e.features.Set(ctx, reset) == nil {
		e.ready(ctx)
	}
}

// receive collects the chunks of an answer.
func (e *exchange) receive(ctx context.Context) ([]byte, error) {
	var (
		answer   = make([]byte, 0, answerLimit*chunkSize)
		chunks   int
		touching bool
		alive    = time.Now()
	)
	for {
		r, err := e.features.Get(ctx)
		if err != nil {
			return nil, err
		}
		flags := r[chunkSize]
		number := int(flags & maskNumber)
		switch {
		case flags&flagBusy != 0:
			// It works.
		case flags&flagAnswer != 0 && number == chunks && chunks < answerLimit:
			answer = append(answer, r[:chunkSize]...)
			chunks++
			continue
		case flags&flagAnswer != 0 && number == 0 && chunks > 0:
			return answer, nil
		case flags&flagAnswer != 0:
			return nil, fmt.Errorf("%w: chunk %d instead of %d", ErrGarbled, number, chunks)
		case flags == 0 && chunks > 0:
			return nil, fmt.Errorf("%w: it ends after chunk %d", ErrGarbled, chunks)
		case flags == 0 && touching:
			return nil, ErrTouch
		case flags == 0:
			return nil, ErrRejected
		case flags&flagTouch != 0:
			alive = time.Now()
			if !touching && e.onTouch != nil {
				e.onTouch()
			}
			touching = true
		}
		if time.Since(alive) > silenceLimit {
			return nil, ErrStuck
		}
		wait := answerPoll
		if flags&flagTouch != 0 {
			wait = touchPoll
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// pause waits, or until the context ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}
