package device

import (
	"cmp"
	"context"
	"slices"

	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/wire/agent"
)

// place is a job's place in the queues of its keys. All are taken at once, so whoever
// came first is first in every one, and nobody waits in a circle.
type place struct {
	b       *Broker
	job     key.Job
	queues  []string
	changed chan struct{} // has one when others came or went
	told    key.Progress  // what was said last
}

// unnamed stands for what a job is for that does not say it.
const unnamed = "another login"

// enter takes the last place in the queues of a job.
func (b *Broker) enter(j key.Job) *place {
	j.For = cmp.Or(j.For, unnamed)
	p := &place{b: b, job: j, changed: make(chan struct{}, 1)}
	if j.Queue != "" {
		p.queues = append([]string{j.Queue}, j.Also...)
		slices.Sort(p.queues)
		p.queues = slices.Compact(p.queues)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range p.queues {
		b.queues[name] = append(b.queues[name], p)
		b.announce(name)
	}
	return p
}

// leave gives the place up, whichever it is.
func (b *Broker) leave(p *place) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range p.queues {
		b.queues[name] = slices.DeleteFunc(b.queues[name], func(other *place) bool { return other == p })
		if len(b.queues[name]) == 0 {
			delete(b.queues, name)
		}
		b.announce(name)
	}
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

// neighbours are for what a key is used before p, and after it.
func (p *place) neighbours() (ahead, behind string) {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	for _, name := range p.queues {
		queue := p.b.queues[name]
		i := slices.Index(queue, p)
		if i > 0 && ahead == "" {
			ahead = queue[0].job.For
		}
		if i+1 < len(queue) && behind == "" {
			behind = queue[i+1].job.For
		}
	}
	return ahead, behind
}

// await returns when it is p's turn.
func (p *place) await(ctx context.Context) error {
	for p.say(""); p.told.Ahead != ""; p.say("") {
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
	now.Ahead, now.Behind = p.neighbours()
	if now == p.told {
		return
	}
	p.told = now
	if p.job.Say != nil {
		p.job.Say(now)
	}
}
