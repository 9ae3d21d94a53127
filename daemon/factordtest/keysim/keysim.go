// Package keysim has keys that are plugged into no machine: tests plug them in, touch them
// and pull them out. It stands in for what asks factord-usb, with the same states, and a
// queue for each key.
package keysim

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"errors"
	"slices"
	"sync"

	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/wire/agent"
)

// Key is one key. Its fields may be changed before it is plugged in.
type Key struct {
	Serial uint32
	// Types is what it types when it is touched.
	Types func() string
	// Secrets are those of its slots, of which Touchless need no touch.
	Secrets   map[int][]byte
	Touchless bool
	// Answer replaces the answer to a challenge.
	Answer func(slot int, challenge []byte) []byte
}

// Keys implements key.Device.
type Keys struct {
	mu      sync.Mutex
	plugged map[uint32]*Key
	busy    map[uint32]bool
	failure *agent.Error
	queue   []*job
	changed chan struct{} // closed at the next change
	ended   int
}

type job struct {
	key.Job
	last    key.Progress
	said    bool
	touched uint32
	touch   bool
}

// New has no keys.
func New() *Keys {
	return &Keys{plugged: map[uint32]*Key{}, busy: map[uint32]bool{}, changed: make(chan struct{})}
}

// change does something, and lets all jobs look at it.
func (d *Keys) change(do func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do()
	close(d.changed)
	d.changed = make(chan struct{})
}

// Plug plugs a key in.
func (d *Keys) Plug(k *Key) { d.change(func() { d.plugged[k.Serial] = k }) }

// Pull pulls a key out.
func (d *Keys) Pull(serial uint32) { d.change(func() { delete(d.plugged, serial) }) }

// Hold has another program hold a key, or let it go.
func (d *Keys) Hold(serial uint32, held bool) { d.change(func() { d.busy[serial] = held }) }

// Fail ends every job with an error; nil: no more.
func (d *Keys) Fail(e *agent.Error) { d.change(func() { d.failure = e }) }

// Touch touches a key. It counts for the oldest job that waits for it, and reports whether
// there is one.
func (d *Keys) Touch(serial uint32) (counts bool) {
	d.change(func() {
		for _, j := range d.queue {
			if k := d.plugged[serial]; k != nil && j.last.State == armed(j) && wants(j, k) && !j.touch {
				j.touched, j.touch, counts = serial, true, true
				return
			}
		}
	})
	return counts
}

// Waiting are the states of the jobs, the oldest first.
func (d *Keys) Waiting() (all []key.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, j := range d.queue {
		all = append(all, j.last)
	}
	return all
}

// Ended is how many jobs have.
func (d *Keys) Ended() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ended
}

func armed(j *job) agent.State {
	if j.Verb == agent.Capture {
		return agent.Ready
	}
	return agent.Touch
}

// Do implements key.Device.
func (d *Keys) Do(ctx context.Context, k key.Job) error {
	j := &job{Job: k}
	d.change(func() { d.queue = append(d.queue, j) })
	defer d.change(func() {
		d.queue = slices.DeleteFunc(d.queue, func(o *job) bool { return o == j })
		d.ended++
	})
	for {
		d.mu.Lock()
		done, err := d.step(j)
		changed := d.changed
		d.mu.Unlock()
		if done {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// step looks at how things stand for a job.
func (d *Keys) step(j *job) (done bool, err error) {
	if d.failure != nil {
		return true, d.failure
	}
	if request, ok := j.Request.(*agent.KeysRequest); ok && request != nil {
		d.list(j.Reply.(*agent.KeysReply))
		return true, nil
	}
	now := key.Progress{Ahead: d.ahead(j), Behind: d.behind(j)}
	k := d.candidate(j)
	switch {
	case now.Ahead != "":
	case k == nil:
		now.State = agent.Absent
	case d.busy[k.Serial]:
		now.State = agent.Busy
	default:
		if k.Touchless && j.Verb == agent.HMAC || j.touch {
			return true, d.answer(j, k)
		}
		now.State = armed(j)
	}
	if (!j.said || now != j.last) && j.Say != nil {
		j.Say(now)
	}
	j.last, j.said = now, true
	return false, nil
}

func (d *Keys) ahead(j *job) string {
	for _, o := range d.queue {
		if o == j {
			return ""
		}
		if o.Queue == j.Queue && j.Queue != "" {
			return o.For
		}
	}
	return ""
}

func (d *Keys) behind(j *job) string {
	at := slices.Index(d.queue, j)
	for _, o := range d.queue[at+1:] {
		if o.Queue == j.Queue && j.Queue != "" {
			return o.For
		}
	}
	return ""
}

// candidate is a key that is asked for; the one that was touched, if one was.
func (d *Keys) candidate(j *job) *Key {
	if j.touch {
		return d.plugged[j.touched]
	}
	for _, k := range d.plugged {
		if wants(j, k) {
			return k
		}
	}
	return nil
}

// wants reports whether a job is for a key.
func wants(j *job, k *Key) bool {
	switch r := j.Request.(type) {
	case *agent.CaptureRequest:
		return r.Any || slices.Contains(r.Serials, k.Serial) || len(r.Serials) == 0 && k.Serial == 0
	case *agent.HMACRequest:
		return r.Serial == k.Serial
	}
	return false
}

func (d *Keys) list(reply *agent.KeysReply) {
	for _, k := range d.plugged {
		reply.Keys = append(reply.Keys, agent.Key{Serial: k.Serial, Name: "YubiKey", Slots: []agent.Slot{{Number: 1}, {Number: 2, Configured: k.Secrets[2] != nil}}})
	}
}

func (d *Keys) answer(j *job, k *Key) error {
	if k == nil {
		return &agent.Error{Code: agent.Gone, Text: "pulled out"}
	}
	switch r := j.Request.(type) {
	case *agent.CaptureRequest:
		*j.Reply.(*agent.CaptureReply) = agent.CaptureReply{Serial: k.Serial, Text: []byte(k.Types())}
		return nil
	case *agent.HMACRequest:
		answer := k.Answer
		if answer == nil {
			answer = k.mac
		}
		text := answer(r.Slot, r.Challenge)
		if text == nil {
			return &agent.Error{Code: agent.WrongKey, Text: "the slot is empty"}
		}
		*j.Reply.(*agent.HMACReply) = agent.HMACReply{Answer: text, Touched: !k.Touchless}
		return nil
	}
	return errors.New("keysim: not a verb that it knows")
}

func (k *Key) mac(slot int, challenge []byte) []byte {
	if k.Secrets[slot] == nil {
		return nil
	}
	mac := hmac.New(sha1.New, k.Secrets[slot])
	mac.Write(challenge)
	return mac.Sum(nil)
}
