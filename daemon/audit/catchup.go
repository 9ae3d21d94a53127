package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/factord/factord/daemon/store"
)

// endSize is how much of a file's end is read to see which records it has, in
// bytes: some hundred records.
const endSize = 64 << 10

// Why nobody can tell which records a file lacks.
var (
	errForeign = errors.New("it does not end with records of this database")
	errEmpty   = errors.New("it has no records")
)

// CatchUp gives the file what the database has and the file does not: what was
// decided just before factord was killed, and what was done while it did not run.
// It is for the time before the first login: nothing else may be queued.
func (c *Copies) CatchUp(db *store.Store) {
	c.mu.RLock()
	strict, d := c.settings.Strict, c.file
	c.mu.RUnlock()
	if d == nil {
		return
	}
	wait := patience
	if strict {
		wait = openTime
	}
	var end []byte
	err := c.reach(d.name, wait, func(f *file) (err error) {
		end, err = f.end()
		return err
	})
	if err != nil {
		c.log.Error("audit copies: the file's end can't be read; it begins with the next record", "error", err)
		return
	}
	missing, err := lacking(db, links(end))
	switch {
	case err != nil:
		c.log.Warn("audit copies: the file begins with the next record", "to", d.name, "error", err)
	case len(missing) > 0:
		b := d.put(missing, time.Now().Add(openTime), true)
		if err := <-b.done; err == nil { // else that has been said
			c.log.Info("audit copies that were missing are written", "to", d.name, "first", missing[0].Seq, "last", missing[len(missing)-1].Seq)
		}
	}
}

// end returns the end of the file that is open, without the line that it begins
// in.
func (f *file) end() ([]byte, error) {
	size := f.info.Size()
	from := max(0, size-endSize)
	text := make([]byte, size-from)
	if n, err := f.open.ReadAt(text, from); err != nil && !(err == io.EOF && n == len(text)) {
		return nil, err
	}
	if from > 0 {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text, nil
}

// link is a record of the file.
type link struct {
	seq  uint64
	time time.Time
	hash [sha256.Size]byte
}

// links are the records in a piece of a file: what has no number, or was cut off,
// is none.
func links(text []byte) (all []link) {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		var e store.Event
		if err := json.Unmarshal(line, &e); err == nil && e.Seq > 0 {
			all = append(all, link{e.Seq, e.Time, sha256.Sum256(line)})
		}
	}
	return all
}

// lacking returns the records of the database that a file with this end lacks.
// The file may end with some that the database has forgotten: then a restore comes
// next.
func lacking(db *store.Store, have []link) (missing []store.Record, err error) {
	if len(have) == 0 {
		return nil, empty(db)
	}
	first := uint64(math.MaxUint64)
	for _, l := range have {
		first = min(first, l.seq)
	}
	ring, err := ringFrom(db, first)
	if err != nil {
		return nil, err
	}
	newest := have[len(have)-1]
	for i := len(have) - 1; i >= 0; i-- {
		at := have[i].seq - first
		if at >= uint64(len(ring)) || sha256.Sum256(ring[at].Text) != have[i].hash {
			continue
		}
		missing = ring[at+1:]
		if i == len(have)-1 || len(missing) > 0 && missing[0].Kind == "restore" {
			return missing, chained(ring[at:])
		}
		break
	}
	// The backup may be older than what was read of the file.
	if ring, err = ringFrom(db, 0); err != nil {
		return nil, err
	}
	for i := len(ring) - 1; i >= 0; i-- {
		if ring[i].Kind == "restore" && ring[i].Time.After(newest.time) {
			return ring[i:], chained(ring[i:])
		}
	}
	return nil, errForeign
}

// empty says so of a file that need not be.
func empty(db *store.Store) error {
	return db.View(func(tx *store.Tx) error {
		if last, err := tx.LastEvent(); last == 0 {
			return err
		}
		return errEmpty
	})
}

// chained refuses records that were changed in the database: their copies would
// bear them out.
func chained(records []store.Record) error {
	for i := 1; i < len(records); i++ {
		if hash := sha256.Sum256(records[i-1].Text); !bytes.Equal(records[i].Prev, hash[:]) {
			return fmt.Errorf("the audit chain is broken: record %d does not fit the one before", records[i].Seq)
		}
	}
	return nil
}

// ringFrom returns the records from a number on. The first of them may have
// another, where the database does not go back as far; then there is none.
func ringFrom(db *store.Store, from uint64) (all []store.Record, err error) {
	err = db.View(func(tx *store.Tx) error {
		return tx.Records(from, func(seq uint64, line []byte, e store.Event, err error) error {
			if err != nil {
				return err // a damaged one: what comes after it proves nothing
			}
			all = append(all, store.Record{Event: e, Text: bytes.Clone(line)})
			return nil
		})
	})
	if err == nil && from > 0 && len(all) > 0 && all[0].Seq != from {
		all = nil
	}
	return all, err
}
