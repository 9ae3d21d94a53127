package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// RingSize is how many audit records are kept; the oldest makes room.
const RingSize = 10_000

// Event is one audit record. Seq, Time and Prev are filled in by the store.
type Event struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	// Kind is "verdict", "answer" for a counted answer that did not end the
	// attempt, or the management verb in lower case.
	Kind    string `json:"kind"`
	User    string `json:"user,omitempty"`
	Service string `json:"service,omitempty"`
	RHost   string `json:"rhost,omitempty"`
	RUser   string `json:"ruser,omitempty"`
	TTY     string `json:"tty,omitempty"`
	Command string `json:"command,omitempty"`
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

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// append writes an event at the ring's end and drops the oldest beyond
// RingSize.
func (st *state) append(tx *bolt.Tx, e Event, now time.Time) error {
	b := tx.Bucket(bucketAudit)
	e.Seq, e.Time, e.Prev = st.Last+1, now.UTC(), st.LastHash
	record, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if e.Seq > RingSize { // the ring's end comes last, so appending fills pages
		b.FillPercent = 0.9
	}
	if err := b.Put(seqKey(e.Seq), record); err != nil {
		return err
	}
	hash := sha256.Sum256(record)
	st.Last, st.LastHash = e.Seq, hash[:]
	for st.Last-st.First >= RingSize {
		oldest := bytes.Clone(b.Get(seqKey(st.First)))
		if err := b.Delete(seqKey(st.First)); err != nil {
			return err
		}
		gone := sha256.Sum256(oldest)
		st.First, st.FirstPrev = st.First+1, gone[:]
	}
	return nil
}

// Events calls fn with the audit records, oldest first, from seq on.
func (t *Tx) Events(from uint64, fn func(Event) error) error {
	c := t.bolt.Bucket(bucketAudit).Cursor()
	for k, v := c.Seek(seqKey(from)); k != nil; k, v = c.Next() {
		var e Event
		if err := json.Unmarshal(v, &e); err != nil {
			return fmt.Errorf("audit record %d: %w", binary.BigEndian.Uint64(k), err)
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	return nil
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

// VerifyAudit checks the whole chain against its sealed ends and returns an
// error that names the first record that was changed, dropped, swapped or cut
// off.
func (t *Tx) VerifyAudit() error {
	st, err := t.state()
	if err != nil {
		return err
	}
	want, prev := st.First, st.FirstPrev
	c := t.bolt.Bucket(bucketAudit).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if len(k) != 8 || binary.BigEndian.Uint64(k) != want {
			return fmt.Errorf("audit record %d is missing", want)
		}
		var e Event
		if err := json.Unmarshal(v, &e); err != nil || e.Seq != want {
			return fmt.Errorf("audit record %d was changed", want)
		}
		if !bytes.Equal(e.Prev, prev) {
			return fmt.Errorf("audit record %d or the one before it was changed", want)
		}
		hash := sha256.Sum256(v)
		prev = hash[:]
		want++
	}
	if want != st.Last+1 {
		return fmt.Errorf("audit records %d to %d are missing", want, st.Last)
	}
	if st.Last >= st.First && !bytes.Equal(prev, st.LastHash) {
		return fmt.Errorf("audit record %d was changed", st.Last)
	}
	return nil
}
