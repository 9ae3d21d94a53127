package authapi

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// dials is what became of connections lately, for those who waited for their turn to
// make one, and so have found out nothing by themselves.
type dials struct {
	mu        sync.Mutex
	under     map[*attempt]time.Time // under way, and since when
	succeeded time.Time              // the last
	failed    time.Time              // the last that was the network's failure
}

func (d *dials) begin(a *attempt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.under == nil {
		d.under = map[*attempt]time.Time{}
	}
	d.under[a] = time.Now()
}

// end notes what became of one. fair is the time that one has to be given before its
// end by time says anything of the network.
func (d *dials) end(a *attempt, err error, fair time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	took := now.Sub(d.under[a])
	var network net.Error
	cutOff := errors.As(err, &network) && network.Timeout()
	delete(d.under, a)
	switch {
	case err == nil:
		d.succeeded = now
	case errors.Is(err, context.Canceled) || a.local.Load() != nil || !isNetwork(err):
	case !cutOff || took >= fair:
		d.failed = now
	}
}

// hopeless reports whether no connection has succeeded since the given time, and one has
// failed, or hangs for a fair time. Those that somebody begins and gives up do not count.
func (d *dials) hopeless(since time.Time, fair time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.succeeded.After(since) {
		return false
	}
	for _, began := range d.under {
		if time.Since(began) >= fair {
			return true
		}
	}
	return d.failed.After(since)
}
