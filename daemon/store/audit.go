package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// RingSize is how many audit records are kept; the oldest makes room.
const RingSize = 10_000

// ringSlack is how many more there may be before the oldest are dropped, all
// at once: dropping one with every login would double what a login writes.
const ringSlack = 256

// tailSize is how many of the newest records are kept apart: what fits a page.
const tailSize = 8

// Event is one audit record. Seq, Time and Prev are filled in by the store.
type Event struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	// Kind is "verdict", "answer" for a counted answer that did not end the
	// attempt, "sent" for one that had codes sent, the management verb in lower case, "restore" or "rekey".
	Kind string `json:"kind"`
	User string `json:"user,omitempty"`
	// Target is whom User becomes, where the rule asks the caller.
	Target  string `json:"target,omitempty"`
	Service string `json:"service,omitempty"`
	RHost   string `json:"rhost,omitempty"`
	RUser   string `json:"ruser,omitempty"`
	TTY     string `json:"tty,omitempty"`
	Phase   string `json:"phase,omitempty"` // of PAM: "account", or "" for auth
	Command string `json:"command,omitempty"`
	Key     string `json:"key,omitempty"` // fingerprint of the SSH key that was the first factor
	PeerUID uint32 `json:"peer_uid"`
	PeerPID int32  `json:"peer_pid,omitempty"`
	Verdict string `json:"verdict,omitempty"`
	Basis   string `json:"basis,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Rule    string `json:"rule,omitempty"`
	Factor  string `json:"factor,omitempty"`
	ID      string `json:"id,omitempty"`
	// Log is what root should know and the person need not.
	Log string `json:"log,omitempty"`
	// Micros is how long factord and the person took, in microseconds.
	Micros int64 `json:"micros,omitempty"`
	// Prev is the SHA-256 of the record before, as it stands in the ring.
	Prev []byte `json:"prev"`
}

// Record is an audit record as it was committed.
type Record struct {
	Event
	// Text is the record as it stands in the ring: one line of JSON, whose
	// SHA-256 is the Prev of the next.
	Text []byte
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// append writes an event at the ring's end and returns it as it stands there.
func (st *state) append(tx *writeTx, e Event, now time.Time) (Record, error) {
	e.Seq, e.Time, e.Prev = st.Last+1, now.UTC(), st.LastHash
	text, err := json.Marshal(e)
	if err != nil {
		return Record{}, err
	}
	hash := sha256.Sum256(text)
	st.Last, st.LastHash = e.Seq, hash[:]
	return Record{e, text}, tx.put(bucketTail, seqKey(e.Seq), text)
}

// fold moves the tail into the ring when it is full, and drops the oldest
// records when there are too many. The tail is one page where the ring's end is
// three, and each page that is written costs a login.
//
// A record that is missing is passed over: a commit that failed for it would
// refuse everybody for ever. VerifyAudit names it.
func (st *state) fold(tx *writeTx) error {
	if st.Last-st.Moved <= tailSize {
		return nil
	}
	tail, ring := tx.Bucket(bucketTail), tx.Bucket(bucketAudit)
	ring.FillPercent = 0.9 // records only ever come at the end
	for seq := st.Moved + 1; seq <= st.Last; seq++ {
		record := bytes.Clone(tail.Get(seqKey(seq)))
		if record == nil {
			continue
		}
		if err := errors.Join(tx.put(bucketAudit, seqKey(seq), record), tx.remove(bucketTail, seqKey(seq))); err != nil {
			return err
		}
	}
	st.Moved = st.Last
	if st.Last-st.First < RingSize+ringSlack {
		return nil
	}
	return st.drop(tx)
}

// drop drops the oldest records until there are no more than RingSize. A key that
// is not of the chain goes too, and moves no end of it; neither does one that stays,
// so that those missing before it are named as long as they would have been shown.
func (st *state) drop(tx *writeTx) error {
	oldest := st.Last - RingSize + 1 // that stays
	c := tx.Bucket(bucketAudit).Cursor()
	for k, v := c.First(); k != nil && !within(k, oldest, math.MaxUint64); k, v = c.First() {
		if within(k, st.First, oldest-1) {
			gone := sha256.Sum256(v)
			st.First, st.FirstPrev = binary.BigEndian.Uint64(k)+1, gone[:]
		}
		if err := tx.remove(bucketAudit, bytes.Clone(k)); err != nil {
			return err
		}
	}
	return nil
}

// within reports whether a key is that of a record from first to last.
func within(key []byte, first, last uint64) bool {
	if len(key) != 8 {
		return false
	}
	seq := binary.BigEndian.Uint64(key)
	return first <= seq && seq <= last
}

// eachRecord calls fn with what lies among the audit records as it stands, oldest
// first, from seq on; 0 is everything. ours is false for a key that factord did
// not put there: whoever can write to the file can add one that is of no number
// that the chain has.
func (t *Tx) eachRecord(st state, from uint64, fn func(key, record []byte, ours bool) error) error {
	var seek []byte
	if from > 0 {
		seek = seqKey(from)
	}
	for _, part := range []struct {
		bucket      []byte
		first, last uint64
	}{{bucketAudit, st.First, st.Moved}, {bucketTail, st.Moved + 1, st.Last}} {
		c := t.bolt.Bucket(part.bucket).Cursor()
		for k, v := c.Seek(seek); k != nil; k, v = c.Next() {
			if err := fn(k, v, within(k, part.first, part.last)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Records calls fn with the audit records as they stand, oldest first, from seq
// on. The line is valid until fn returns; of a record that was damaged, e is
// incomplete and err says so. What was added outside the chain's numbers is not
// shown as if it had happened; VerifyAudit names it.
func (t *Tx) Records(from uint64, fn func(seq uint64, line []byte, e Event, err error) error) error {
	st, err := t.state()
	if err != nil {
		return err
	}
	if st.Last > RingSize {
		from = max(from, st.Last-RingSize+1)
	}
	return t.eachRecord(st, from, func(k, v []byte, ours bool) error {
		if !ours {
			return nil
		}
		var e Event
		err := json.Unmarshal(v, &e)
		return fn(binary.BigEndian.Uint64(k), v, e, err)
	})
}

// Events calls fn with the audit records, oldest first, from seq on. It ends at
// one that was damaged.
func (t *Tx) Events(from uint64, fn func(Event) error) error {
	return t.Records(from, func(seq uint64, _ []byte, e Event, err error) error {
		if err != nil {
			return fmt.Errorf("audit record %d: %w", seq, err)
		}
		return fn(e)
	})
}

// LastEvent returns the number of the newest audit record, 0 if there is none.
func (t *Tx) LastEvent() (uint64, error) {
	st, err := t.state()
	return st.Last, err
}

func (t *Tx) state() (st state, err error) {
	_, err = t.getJSON(bucketMeta, keyState, &st)
	return st, err
}
