package device

import (
	"cmp"
	"context"
	"slices"

	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/wire/agent"
)

// place is a job's place in the queue of its key.
type place struct {
	b       *Broker
	job     key.Job
	changed chan struct{} // has one when others came or went
	told    key.Progress  // what was said last
}

// unnamed stands for what a job is for that does not say it.
const unnamed = "another login"

// enter takes the last place in a queue.
func (b *Broker) enter(j key.Job) *place {
	j.For = cmp.Or(j.For, unnamed)
	p := &place{b: b, job: j, changed: make(chan struct{}, 1)}
	if j.Queue == "" {
		return p
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queues[j.Queue] = append(b.queues[j.Queue], p)
	b.announce(j.Queue)
	return p
}

// leave gives the place up, whichever it is.
func (b *Broker) leave(p *place) {
	name := p.job.Queue
	if name == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	rest := slices.DeleteFunc(b.queues[name], func(other *place) bool { return other == p })
	if len(rest) == 0 {
		delete(b.queues, name)
		return
	}
	b.queues[name] = rest
	b.announce(name)
}

// announce wakes all who are in a queue. b.mu is held.
func (b *Broker) announce(name string) {
	for _, p := range b.queues[name] {
		select {
		case p.changed <- struct{}{}:
		default:
		}
	}
}

// neighbours are for what the key is used before p, and after it.
func (p *place) neighbours() (ahead, behind string) {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	queue := p.b.queues[p.job.Queue]
	i := slices.Index(queue, p)
	if i > 0 {
		ahead = queue[0].job.For
	}
	if i+1 < len(queue) {
		behind = queue[i+1].job.For
	}
	return ahead, behind
}

// await returns when it is p's turn.
func (p *place) await(ctx context.Context) error {
	for p.job.Queue != "" {
		p.say("")
		if p.told.Ahead == "" {
			break
		}
		select {
		case <-p.changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if ctx.Err() != nil { // whoever has given up does not make a key blink
		return context.Cause(ctx)
	}
	return nil
}

// say tells the job how it stands, if that is news. It is called by one goroutine, the
// one that does the job.
func (p *place) say(s agent.State) {
	now := key.Progress{State: s}
	if p.job.Queue != "" {
		now.Ahead, now.Behind = p.neighbours()
	}
	if now == p.told {
		return
	}
	p.told = now
	if p.job.Say != nil {
		p.job.Say(now)
	}
}
