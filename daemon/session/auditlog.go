package session

import (
	"bytes"
	"encoding/json"
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
	// follow: the answer ends with the number to ask from the next time.
	follow   bool
	refusals bool
}

// auditQuery takes the query from the arguments.
func (r *request) auditQuery() (q auditQuery, err error) {
	q.user, q.service, q.verdict, q.kind = r.args.Take("user"), r.args.Take("service"), r.args.Take("verdict"), r.args.Take("kind")
	if q.verdict != "" && q.verdict != "allow" && q.verdict != "deny" {
		return q, problemf(wire.ReasonProtocol, "verdict is allow or deny, not %q", q.verdict)
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
	return q, r.done()
}

// matches reports whether a record is wanted.
func (q *auditQuery) matches(e store.Event) bool {
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
		if q.from > newest+1 {
			return problemf(wire.ReasonInternal, "the audit chain has been set back: record %d was asked for, and the newest is %d", q.from, newest)
		}
		if err := r.sendRecords(tx, q); err != nil {
			return err
		}
		if err := tx.VerifyAuditFrom(q.from); err != nil {
			return problemf(wire.ReasonInternal, "the audit chain is broken: %s\nhint: copies in the journal or the [audit] file show what was there", err)
		}
		if q.follow {
			r.data(map[string]uint64{"next": newest + 1})
		}
		return nil
	})
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
		if (q.user == "" || q.user == x.Last.User) && (q.service == "" || q.service == x.Last.Service) && !x.Last.Time.Before(q.since) {
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
