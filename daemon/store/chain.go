package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// VerifyAudit checks the whole chain of audit records against its sealed ends, and
// returns an error that names the first record that was changed, dropped, swapped,
// added or cut off.
func (t *Tx) VerifyAudit() error { return t.VerifyAuditFrom(0) }

// VerifyAuditFrom is VerifyAudit for the records from seq on.
func (t *Tx) VerifyAuditFrom(from uint64) error {
	st, err := t.state()
	if err != nil {
		return err
	}
	c := chain{state: st, next: st.First, prev: st.FirstPrev, trusted: true}
	begin := uint64(0)   // what was added before the first record is seen too
	if from > st.First { // begin with the one before, whose hash the first must name
		c.next, c.prev, c.trusted = min(from-1, st.Last), nil, false
		begin = c.next
	}
	if err := t.eachRecord(st, begin, c.add); err != nil {
		return err
	}
	return c.end()
}

// chain is what has been seen of the audit records.
type chain struct {
	state
	next    uint64 // the number that must come
	prev    []byte // hash of the record before; nil: not known
	trusted bool   // prev is from the sealed state
	// doubt: the newest record does not name the one before. Which of the two
	// was changed, the next one tells.
	doubt bool
}

func changed(seq uint64) error { return fmt.Errorf("audit record %d was changed", seq) }

// add takes the next record.
func (c *chain) add(key, record []byte, ours bool) error {
	if !ours {
		return c.added(key)
	}
	if binary.BigEndian.Uint64(key) != c.next {
		return c.missing(c.next, c.next)
	}
	var e Event
	err := json.Unmarshal(record, &e)
	switch {
	case c.doubt && err != nil: // so it can't tell which
		return fmt.Errorf("audit record %d or %d was changed", c.next-2, c.next-1)
	case c.doubt:
		return c.settle(e.Prev)
	case err != nil:
		return changed(c.next)
	case e.Seq != c.next:
		return fmt.Errorf("%w: in its place is number %d", changed(c.next), e.Seq)
	}
	if (c.trusted || c.prev != nil) && !bytes.Equal(e.Prev, c.prev) {
		if c.trusted {
			return changed(c.next)
		}
		c.doubt = true
	}
	hash := sha256.Sum256(record)
	c.prev, c.trusted = hash[:], false
	c.next++
	return nil
}

// settle names the changed one of the two newest records, given the hash of the
// newer as the record after it has it.
func (c *chain) settle(prev []byte) error {
	if bytes.Equal(prev, c.prev) {
		return changed(c.next - 2)
	}
	return changed(c.next - 1)
}

// added names what is not of the chain.
func (c *chain) added(key []byte) error {
	switch {
	case c.doubt && c.next > c.Last:
		return c.settle(c.LastHash)
	case c.doubt:
		return c.missing(c.next, c.next)
	case len(key) != 8:
		return fmt.Errorf("an audit record was added: %x is no number of one", key)
	}
	return fmt.Errorf("audit record %d was added", binary.BigEndian.Uint64(key))
}

func (c *chain) missing(from, to uint64) error {
	switch {
	case c.doubt: // comes before what is missing, and nobody can tell which it is
		return fmt.Errorf("%w, or the one before it", changed(c.next-1))
	case from == to:
		return fmt.Errorf("audit record %d is missing", from)
	}
	return fmt.Errorf("audit records %d to %d are missing", from, to)
}

// end compares the last record with the sealed end.
func (c *chain) end() error {
	switch {
	case c.next <= c.Last:
		return c.missing(c.next, c.Last)
	case c.doubt:
		return c.settle(c.LastHash)
	case c.prev != nil && !c.trusted && !bytes.Equal(c.prev, c.LastHash):
		return changed(c.Last)
	}
	return nil
}
