package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"
)

// refusalDelay is how long repeated refusals are counted in memory before they
// are written; the first of a minute is written at once.
const refusalDelay = time.Second

// Refusals are the attempts of one uid in one minute that were refused before
// any factor was asked. They have a ring of their own, so that nobody can push
// real decisions out of the audit ring by asking in vain.
type Refusals struct {
	Minute  time.Time      `json:"minute"`
	PeerUID uint32         `json:"peer_uid"`
	Count   int            `json:"count"`
	Reasons map[string]int `json:"reasons"`
	// Users are for whom was asked: every PAM login is asked for by uid 0. Of those
	// above maxNames, and of names that are too long, Others has the number.
	Users  map[string]int `json:"users,omitempty"`
	Others int            `json:"others,omitempty"`
	// Last is the latest of them.
	Last Event `json:"last"`
}

// Whoever makes names up fills no more of the ring with them than this: maxNames of
// them in a record, of maxRefusedName bytes each.
const (
	maxNames       = 16
	maxRefusedName = 64
)

// counts notes n refusals of a name.
func (r *Refusals) counts(name string, n int) {
	if _, known := r.Users[name]; !known && (len(r.Users) >= maxNames || len(name) > maxRefusedName) {
		r.Others += n
		return
	}
	if r.Users == nil {
		r.Users = map[string]int{}
	}
	r.Users[name] += n
}

// Of reports whether a refusal of a name is in r, as far as r has names.
func (r *Refusals) Of(name string) bool { return r.Users[name] > 0 || r.Last.User == name }

type refusalKey struct {
	minute int64 // Unix time / 60
	uid    uint32
}

func (k refusalKey) bytes() []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(k.minute)), k.uid)
}

// refusalBuffer holds what has been counted since the last transaction.
type refusalBuffer struct {
	mu      sync.Mutex
	pending map[refusalKey]*Refusals
	timer   *time.Timer
	count   int // records in the ring; the committer's alone
	minute  int64
	seen    map[uint32]bool // uids that have been written this minute
}

// maxSeen bounds refusalBuffer.seen; a uid beyond it waits for refusalDelay.
const maxSeen = 4096

// Refuse records a refusal that came before any factor was asked, and reports
// whether it is the first of its uid in this minute.
func (s *Store) Refuse(ctx context.Context, e Event) (first bool, err error) {
	now := s.clock()
	key := refusalKey{minute: now.Unix() / 60, uid: e.PeerUID}
	e.Time = now.UTC()
	if s.refusals.add(key, e) {
		return true, s.Update(ctx, func(*Tx) error { return nil })
	}
	s.refusals.later(func() { s.Flush(context.Background()) })
	return false, nil
}

// Flush writes what has been counted so far.
func (s *Store) Flush(ctx context.Context) error {
	s.refusals.mu.Lock()
	empty := len(s.refusals.pending) == 0
	s.refusals.mu.Unlock()
	if empty {
		return nil
	}
	return s.Update(ctx, func(*Tx) error { return nil })
}

// add counts e and reports whether it is the first of its uid and minute.
func (b *refusalBuffer) add(key refusalKey, e Event) (first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.minute != key.minute || b.seen == nil {
		b.minute, b.seen = key.minute, map[uint32]bool{}
	}
	if first = !b.seen[key.uid] && len(b.seen) < maxSeen; first {
		b.seen[key.uid] = true
	}
	if b.pending == nil {
		b.pending = map[refusalKey]*Refusals{}
	}
	r := b.pending[key]
	if r == nil {
		r = &Refusals{Minute: time.Unix(key.minute*60, 0).UTC(), PeerUID: key.uid, Reasons: map[string]int{}}
		b.pending[key] = r
	}
	r.Count++
	r.Reasons[e.Reason]++
	r.counts(e.User, 1)
	r.Last = e
	return first
}

func (b *refusalBuffer) later(flush func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer == nil {
		b.timer = time.AfterFunc(refusalDelay, func() {
			b.mu.Lock()
			b.timer = nil
			b.mu.Unlock()
			flush()
		})
	}
}

func (b *refusalBuffer) take() map[refusalKey]*Refusals {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.pending
	b.pending = nil
	return taken
}

// giveBack returns what a failed transaction had taken.
func (b *refusalBuffer) giveBack(taken map[refusalKey]*Refusals) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, r := range taken {
		if b.pending == nil {
			b.pending = map[refusalKey]*Refusals{}
		}
		if have := b.pending[key]; have != nil {
			r.merge(have)
		}
		b.pending[key] = r
	}
}

// merge adds what came after r.
func (r *Refusals) merge(after *Refusals) {
	r.Count += after.Count
	for reason, n := range after.Reasons {
		r.Reasons[reason] += n
	}
	for _, name := range slices.Sorted(maps.Keys(after.Users)) {
		r.counts(name, after.Users[name])
	}
	r.Others += after.Others
	r.Last = after.Last
}

// putRefusals writes the counts into the ring and returns how many records it
// then has.
func (s *Store) putRefusals(tx *writeTx, pending map[refusalKey]*Refusals) (count int, err error) {
	b := tx.Bucket(bucketRefusals)
	count = s.refusals.count
	for key, r := range pending {
		total, k := r, key.bytes()
		if v := b.Get(k); v != nil {
			var have Refusals
			if err := json.Unmarshal(v, &have); err == nil && have.Reasons != nil {
				have.merge(r)
				total = &have
			}
		} else {
			count++
		}
		encoded, err := json.Marshal(total)
		if err != nil {
			return 0, err
		}
		if err := tx.put(bucketRefusals, k, encoded); err != nil {
			return 0, err
		}
	}
	for c := b.Cursor(); count > RingSize; count-- {
		if k, _ := c.First(); k != nil {
			if err := tx.remove(bucketRefusals, bytes.Clone(k)); err != nil {
				return 0, err
			}
		}
	}
	return count, nil
}

// Refusals calls fn with the refusals, oldest first.
func (t *Tx) Refusals(fn func(Refusals) error) error {
	c := t.bolt.Bucket(bucketRefusals).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		var r Refusals
		if err := json.Unmarshal(v, &r); err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}
