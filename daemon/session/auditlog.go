package session

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// auditLast is how many records AUDIT shows that is asked for nothing in
// particular.
const auditLast = 50

// auditQuery is what AUDIT is asked for.
type auditQuery struct {
	user, service, verdict, kind string
	since                        time.Time
	// last is how many of the records that match are wanted, the newest; 0: all.
	last uint64
	// from is the first record that is looked at, and where checking begins.
	from uint64
	// follow: the answer ends with the number to ask from the next time, and with
	// the hash of the record before it, which is to come back as after.
	follow   bool
	after    string
	refusals bool
}

// auditQuery takes the query from the arguments.
func (r *request) auditQuery() (q auditQuery, err error) {
	q.user, q.service, q.verdict, q.kind = r.args.Take("user"), r.args.Take("service"), r.args.Take("verdict"), r.args.Take("kind")
	if q.verdict != "" && q.verdict != "allow" && q.verdict != "deny" && q.verdict != "wrong" {
		return q, problemf(wire.ReasonProtocol, "verdict is allow, deny or wrong, not %q", q.verdict)
	}
	if since := r.args.Take("since"); since != "" {
		if q.since, err = time.Parse(time.RFC3339Nano, since); err != nil {
			return q, problemf(wire.ReasonProtocol, "since is no time of RFC 3339: %q", since)
		}
	}
	if q.from, err = number(r.args, "from", 0); err != nil {
		return q, err
	}
	usual := uint64(0)
	if q.from == 0 && q.since.IsZero() && r.args["refusals"] == "" {
		usual = auditLast
	}
	if q.last, err = number(r.args, "last", usual); err != nil {
		return q, err
	}
	if q.follow, err = r.args.TakeFlag("follow"); err != nil {
		return q, err
	}
	if q.refusals, err = r.args.TakeFlag("refusals"); err != nil {
		return q, err
	}
	q.after = r.args.Take("after")
	return q, r.done()
}

// matches reports whether a record is wanted.
func (q *auditQuery) matches(e store.Event) bool {
	if e.Kind == "answer" {
		e.Verdict = "wrong" // as it is shown
	}
	for _, f := range [...]struct{ want, have string }{{q.user, e.User}, {q.service, e.Service}, {q.verdict, e.Verdict}, {q.kind, e.Kind}} {
		if f.want != "" && f.want != f.have {
			return false
		}
	}
	return !e.Time.Before(q.since)
}

// audit streams the records that match, as they stand in the chain, and says
// after them whether the chain is whole: root needs to see the records most when
// it is not.
func (r *request) audit() (any, error) {
	q, err := r.auditQuery()
	if err != nil {
		return nil, err
	}
	if err := r.Store.Flush(r.ctx); err != nil {
		return nil, err
	}
	return nil, r.Store.View(func(tx *store.Tx) error {
		if q.refusals {
			return r.sendRefusals(tx, q)
		}
		newest, err := tx.LastEvent()
		if err != nil {
			return err
		}
		replaced, err := replaced(tx, q)
		switch {
		case err != nil:
			return err
		case replaced:
			return r.sendRestore(tx, q)
		case q.from > newest+1:
			return problemf(wire.ReasonInternal, "the audit chain has been set back: record %d was asked for, and the newest is %d", q.from, newest)
		}
		if err := r.sendRecords(tx, q); err != nil {
			return err
		}
		if err := tx.VerifyAuditFrom(q.from); err != nil {
			return problemf(wire.ReasonInternal, "the audit chain is broken: %s\nhint: copies in the journal or the [audit] file show what was there", err)
		}
		if q.follow {
			hash, err := hashOf(tx, newest)
			r.data(map[string]any{"next": newest + 1, "hash": hash})
			return err
		}
		return nil
	})
}

// replaced reports whether the record before the one that is asked for is not
// what the follower has seen: a restore may have set the numbers back, and they
// may have passed that one since.
func replaced(tx *store.Tx, q auditQuery) (bool, error) {
	if q.after == "" || q.from == 0 {
		return false, nil
	}
	hash, err := hashOf(tx, q.from-1)
	if err != nil || hash == q.after {
		return false, err
	}
	if hash != "" {
		return true, nil
	}
	newest, err := tx.LastEvent() // else it has been dropped, and nobody can tell
	return q.from-1 > newest, err
}

// hashOf returns the hash of a record as text, "" if there is none.
func hashOf(tx *store.Tx, seq uint64) (hash string, err error) {
	err = tx.Records(seq, func(at uint64, line []byte, _ store.Event, _ error) error {
		if at == seq {
			sum := sha256.Sum256(line)
			hash = hex.EncodeToString(sum[:])
		}
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return hash, err
}

// errEnough ends a walk through the records.
var errEnough = errors.New("enough")

// sendRestore tells a follower where to go on: at the newest restore.
func (r *request) sendRestore(tx *store.Tx, q auditQuery) error {
	restored := uint64(0)
	err := tx.Records(0, func(seq uint64, _ []byte, e store.Event, err error) error {
		if err == nil && e.Kind == "restore" {
			restored = seq
		}
		return nil
	})
	if err != nil {
		return err
	}
	if restored == 0 {
		return problemf(wire.ReasonInternal, "the audit chain was replaced: record %d is not the one that was shown, and there is no record of a restore", q.from-1)
	}
	r.data(map[string]uint64{"replaced": restored})
	return nil
}

// sendRecords sends the newest q.last records that match, oldest first.
func (r *request) sendRecords(tx *store.Tx, q auditQuery) error {
	var lines [][]byte // the store's, valid until the view ends
	err := tx.Records(q.from, func(seq uint64, line []byte, e store.Event, err error) error {
		if err == nil && !q.matches(e) {
			return nil
		}
		if err != nil || !json.Valid(line) || bytes.ContainsAny(line, "\r\n") { // shown whoever is asked for
			line, err = json.Marshal(store.Event{Seq: seq, Kind: "damaged", Log: fmt.Sprintf("%q", line)})
			if err != nil {
				return err
			}
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		return err
	}
	if n := uint64(len(lines)); q.last > 0 && n > q.last {
		lines = lines[n-q.last:]
	}
	for _, line := range lines {
		r.lines.PutData(append(line[:len(line):len(line)], '\n'))
	}
	return nil
}

// sendRefusals sends what was refused before any factor was asked.
func (r *request) sendRefusals(tx *store.Tx, q auditQuery) error {
	var all []store.Refusals
	err := tx.Refusals(func(x store.Refusals) error {
		if (q.user == "" || x.Of(q.user)) && (q.service == "" || q.service == x.Last.Service) && !x.Last.Time.Before(q.since) {
			all = append(all, x)
		}
		return nil
	})
	if n := uint64(len(all)); q.last > 0 && n > q.last {
		all = all[n-q.last:]
	}
	for _, x := range all {
		r.data(x)
	}
	return err
}

// number takes a count from args.
func number(args wire.Args, key string, otherwise uint64) (uint64, error) {
	v := args.Take(key)
	if v == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		return 0, problemf(wire.ReasonProtocol, "%s is not a number: %q", key, v)
	}
	return n, nil
}
