package session

import (
	"time"

	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/wire"
)

// What wrong answers cost. Failures are counted in a row.
const (
	freeFailures = 5   // cost nothing
	lockFailures = 20  // from then on: lockTime
	userFailures = 100 // over all sources of a user
	firstWait    = 2 * time.Second
	longestWait  = 5 * time.Minute
	lockTime     = 15 * time.Minute
	maxSources   = 128 // kept per user; more than userFailures, so none is forgotten that counts
)

// Sources that are not a network.
const (
	unknownSource = "unknown"
	someHost      = "unknown host"
	selfSource    = "self"
	seatSource    = "seat"
)

// budget is how often a user's codes have been guessed wrong, by source, so
// that one source can't spend what another needs. It is kept in the store and
// changed only in the transaction that checks an answer.
type budget struct {
	Sources map[string]*tally `json:"sources,omitempty"`
	// All counts every source but selfSource.
	All tally `json:"all"`
}

// tally counts failures in a row. Waits are "not before" times of the clock: one
// that is set back makes them longer, never shorter, until root unlocks.
type tally struct {
	Failures int       `json:"failures"`
	Until    time.Time `json:"until,omitzero"`
	Last     time.Time `json:"last,omitzero"`
}

// sourceOf names where an attempt comes from: the client's network (IPv4 /32,
// IPv6 /64), the seat, the user themself, or the account that called su.
//
// Who guesses from a host whose address is not known must not be taken for
// somebody at this machine, whatever the client says of ruser.
func sourceOf(caller policy.Caller, rhost string, local policy.Known, user, ruser string) string {
	addr, known := policy.ParseAddr(rhost)
	switch {
	case caller == policy.CallerUser:
		return selfSource
	case addr.Is4():
		return addr.String()
	case addr.IsValid():
		p, _ := addr.Prefix(64)
		return p.String()
	case !known:
		return someHost
	case local == policy.Yes:
		return seatSource
	case ruser == user && user != "":
		return selfSource
	case policy.ValidUser(ruser):
		return "ruser " + ruser
	}
	return unknownSource
}

// wait returns how long source has to wait before its next guessable answer,
// and the reason that goes with it.
func (b *budget) wait(source string, now time.Time) (time.Duration, wire.Reason) {
	d, reason := time.Duration(0), wire.ReasonNone
	if t := b.Sources[source]; t != nil {
		d, reason = t.Until.Sub(now), wire.ReasonRateLimited
		if t.Failures >= lockFailures {
			reason = wire.ReasonLocked
		}
	}
	if source != selfSource {
		if all := b.All.Until.Sub(now); all > d {
			d, reason = all, wire.ReasonLocked
		}
	}
	if d <= 0 {
		return 0, wire.ReasonNone
	}
	return d, reason
}

// fail counts one wrong or replayed answer.
func (b *budget) fail(source string, now time.Time) {
	if b.Sources == nil {
		b.Sources = map[string]*tally{}
	}
	t := b.Sources[source]
	if t == nil {
		b.makeRoom()
		t = &tally{}
		b.Sources[source] = t
	}
	t.Failures++
	t.Last, t.Until = now, now.Add(waitAfter(t.Failures))
	if source == selfSource {
		return
	}
	b.All.Failures++
	b.All.Last = now
	if b.All.Failures >= userFailures {
		b.All.Until = now.Add(lockTime)
	}
}

// clone returns a copy that shares nothing.
func (b *budget) clone() *budget {
	c := &budget{All: b.All, Sources: make(map[string]*tally, len(b.Sources))}
	for source, t := range b.Sources {
		kept := *t
		c.Sources[source] = &kept
	}
	return c
}

// giveBack undoes one failure of source, which made after of before. What others
// have counted since stays.
func (b *budget) giveBack(source string, before, after *budget) {
	undo := func(now *tally, was, became tally) {
		if *now == became {
			*now = was
		} else if now.Failures > 0 {
			now.Failures--
		}
	}
	if t := b.Sources[source]; t != nil {
		was := tally{}
		if old := before.Sources[source]; old != nil {
			was = *old
		}
		undo(t, was, *after.Sources[source])
		if *t == (tally{}) {
			delete(b.Sources, source)
		}
	}
	if source != selfSource {
		undo(&b.All, before.All, after.All)
	}
}

// locked reports whether source, or the user everywhere, has failed so often that
// it is locked.
func (b *budget) locked(source string) bool {
	t := b.Sources[source]
	return t != nil && t.Failures >= lockFailures || b.All.Failures >= userFailures
}

// waitAfter returns the wait that the n-th failure in a row brings.
func waitAfter(n int) time.Duration {
	switch {
	case n <= freeFailures:
		return 0
	case n >= lockFailures:
		return lockTime
	}
	return min(firstWait<<(n-freeFailures-1), longestWait)
}

// makeRoom forgets the host that has been quiet for longest; the user and the
// seat are not pushed out by hosts.
func (b *budget) makeRoom() {
	if len(b.Sources) < maxSources {
		return
	}
	oldest := ""
	for source, t := range b.Sources {
		if source == selfSource || source == seatSource {
			continue
		}
		if oldest == "" || t.Last.Before(b.Sources[oldest].Last) {
			oldest = source
		}
	}
	delete(b.Sources, oldest)
}

// succeed ends the row of failures of source and of the user.
func (b *budget) succeed(source string) {
	delete(b.Sources, source)
	b.All = tally{}
}

// empty reports whether there is nothing to keep.
func (b *budget) empty() bool { return len(b.Sources) == 0 && b.All == (tally{}) }
