// Package device is the way to the keys that are plugged into this machine: the
// broker between the factors, of which many may want one key at once, and factord-usb,
// which does one operation a process.
//
// For one key the operations are done one after the other, in the order in which they
// came, so a touch counts for whoever has waited longest. Everybody is told what the
// key is used for, and who gives up leaves at once.
package device

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/wire/agent"
)

// Config of a broker.
type Config struct {
	// Socket is where factord-usb is asked for a connection; "": nowhere.
	Socket string
	// Program is factord-usb, which is started if nothing is at Socket; "": it can't be.
	Program string
	// Private is the path of a directory of this user alone that is made for Program, in
	// which it locks the keys that are in use.
	Private string
	// Servers are the uids that may serve Socket, beside root and this process's own.
	Servers []uint32
	// Backend is the configured way to the keys: agent.Common.Backend. nil is "".
	Backend func() string
}

// Broker puts jobs to keys. It is safe for concurrent use.
type Broker struct {
	Config
	slots slots

	mu     sync.Mutex
	queues map[string][]*place // by Job.Queue; the first is being served
}

// New returns a broker.
func New(c Config) *Broker {
	if c.Backend == nil {
		c.Backend = func() string { return "" }
	}
	return &Broker{Config: c, slots: slots{taken: map[string]int{}}, queues: map[string][]*place{}}
}

// Do implements key.Device.
func (b *Broker) Do(ctx context.Context, j key.Job) error {
	request, ok := j.Request.(interface{ Base() *agent.Common })
	if !ok {
		return fmt.Errorf("%s: %T is no request", j.Verb, j.Request)
	}
	p := b.enter(j)
	defer b.leave(p)
	if err := p.await(ctx); err != nil {
		return err
	}
	if err := b.slots.take(ctx, j.User); err != nil {
		return err
	}
	defer b.slots.give(j.User)
	request.Base().Backend = b.Backend()
	request.Base().Wait = patience(ctx, j.Wait).Milliseconds()
	return b.operate(ctx, p)
}

// margin is how long before the end of a context an operation is told to give up, so
// that it says itself what it has waited for.
const margin = 500 * time.Millisecond

// patience is how long an operation may wait for persons.
func patience(ctx context.Context, wanted time.Duration) time.Duration {
	if wanted < 0 {
		return 0
	}
	wait := cmp.Or(wanted, agent.MaxWait)
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(end)-margin)
	}
	return min(max(wait, 0), agent.MaxWait)
}
