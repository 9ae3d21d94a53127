package authapi

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// After a 429 a request is sent again in 1 s, then 2, 4 … up to 32 s, each with up to
// a second more so that machines do not come together; so Duo's documentation of its
// rate limits and its clients do it. A 429 was not acted on: the same request sent
// again makes no second push.
const (
	firstPause = time.Second
	lastPause  = 32 * time.Second
	jitter     = time.Second
)

type backOff struct{ next time.Duration }

func newBackOff() *backOff { return &backOff{next: firstPause} }

// wait pauses for what the server asked, or else for the next pause. It returns
// false, at once if it can, when the context would end before.
func (b *backOff) wait(ctx context.Context, asked time.Duration) bool {
	pause := asked
	if pause <= 0 {
		pause = b.next
	}
	b.next = min(2*b.next, lastPause)
	return sleep(ctx, pause+rand.N(jitter))
}

// sleep returns false if ctx ends before d is over.
func sleep(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// maxWait is the longest wait that is believed: more is said to be this much.
const maxWait = 24 * time.Hour

// retryAfter reads Retry-After (RFC 9110, 10.2.3: seconds or a date) and
// X-Retry-After, which Duo sends beside it. 0 is none, or one that makes no sense.
func retryAfter(h http.Header, now time.Time) time.Duration {
	for _, name := range []string{"X-Retry-After", "Retry-After"} {
		value := strings.TrimSpace(h.Get(name))
		wait := time.Duration(0)
		if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
			wait = time.Duration(seconds) * time.Second
		} else if at, err := http.ParseTime(value); err == nil {
			wait = at.Sub(now)
		}
		if wait > 0 {
			return min(wait, maxWait)
		}
	}
	return 0
}
