package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// Granter makes codes that root gives away. highest is the highest time the
// store has seen; the code holds for d.
type Granter interface {
	Grant(rs factor.Records, now, highest time.Time, d time.Duration) (code string, err error)
}

// Inviter makes codes that let a user enrol, and spends them.
type Inviter interface {
	Granter
	factor.Describer
	Redeem(rs factor.Records, answer factor.Secret, now, highest time.Time) (factor.Outcome, error)
	// Pending reports whether a code of those records would be taken now.
	Pending(list []factor.Record, now, highest time.Time) bool
}

// request is one management command.
type request struct {
	*conn
	ctx  context.Context
	verb string
	args wire.Args
}

// command is how one management verb is served.
type command struct {
	rootOnly bool
	serve    func(*request) (reply any, err error)
}

// commands are the management verbs.
var commands = map[string]command{
	wire.VerbStatus:  {serve: (*request).status},
	wire.VerbList:    {serve: (*request).list},
	wire.VerbExplain: {serve: (*request).explain},
	wire.VerbEnroll:  {serve: (*request).enroll},
	wire.VerbRemove:  {serve: (*request).remove},
	wire.VerbResync:  {serve: (*request).resync},
	wire.VerbImport:  {serve: (*request).imports},
	wire.VerbUnlock:  {rootOnly: true, serve: (*request).unlock},
	wire.VerbBypass:  {rootOnly: true, serve: (*request).bypass},
	wire.VerbInvite:  {rootOnly: true, serve: (*request).invite},
	wire.VerbForget:  {serve: (*request).forget},
	wire.VerbKeys:    {serve: (*request).keys},
	wire.VerbAudit:   {rootOnly: true, serve: (*request).audit},
}

// problem is a management error with a reason of its own; its text is for the
// person who asked.
type problem struct {
	reason wire.Reason
	text   string
}

func (p *problem) Error() string { return p.text }

func problemf(r wire.Reason, format string, args ...any) error {
	return &problem{reason: r, text: fmt.Sprintf(format, args...)}
}

// manage serves one management verb.
func (c *conn) manage(verb, rest string) {
	args, err := wire.ParseArgs(rest)
	if err != nil {
		c.over = true
		c.fail(wire.ReasonProtocol, verb+": "+err.Error())
		return
	}
	cmd := commands[verb]
	if cmd.rootOnly && c.peer.UID != 0 {
		c.fail(wire.ReasonNotPermitted, "only root may do this")
		return
	}
	c.setDeadline(EnrolTime)
	ctx, cancel := context.WithDeadlineCause(c.ctx, c.deadline, context.DeadlineExceeded)
	defer cancel()
	reply, err := cmd.serve(&request{conn: c, ctx: ctx, verb: verb, args: args})
	if err != nil {
		c.failed(verb, err)
		return
	}
	if reply != nil {
		c.data(reply)
	}
	c.lines.Put("OK")
}

// failed answers a command that did not succeed. The reasons of a problem are
// the asker's to know; of everything else the log's.
func (c *conn) failed(verb string, err error) {
	var p *problem
	if errors.As(err, &p) {
		c.fail(p.reason, p.text)
		return
	}
	reason := reasonOf(err)
	text := verb + " failed: " + reason.String()
	if reason == wire.ReasonInternal {
		c.Log.Error("command failed", "verb", verb, "uid", c.peer.UID, "error", err)
	}
	if reason == wire.ReasonProtocol || c.peer.UID == 0 {
		text = verb + ": " + err.Error()
	}
	c.fail(reason, text)
}

// data sends v as one line of JSON.
func (c *conn) data(v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it is read by people, and has URIs
	if err := e.Encode(v); err != nil {
		c.Log.Error("encoding a reply", "error", err)
		return
	}
	c.lines.PutData(b.Bytes())
	clear(b.Bytes()) // it may be an enrolment
}

// subject resolves the user that a command is about: by default the caller.
// Root may name anybody, others themselves.
func (r *request) subject() (Identity, error) {
	name := r.args.Take("user")
	id, err := r.find(r.ctx, name)
	switch {
	case errors.Is(err, ErrNoUser) && r.peer.UID == 0:
		if id, ok := r.former(name); ok {
			return id, nil
		}
		return Identity{}, problemf(wire.ReasonDenied, "no such user: %q", name)
	case errors.Is(err, ErrNoUser), err == nil && r.peer.UID != 0 && id.UID != r.peer.UID:
		return Identity{}, problemf(wire.ReasonNotPermitted, "only root may do this for others")
	case err != nil:
		r.Log.Error("looking up a user", "user", name, "error", err)
		return Identity{}, problemf(wire.ReasonUnavailable, "the user database does not answer")
	}
	return id, nil
}

// former returns an account that is gone, as it was enrolled, to the commands
// that clean up after it.
func (r *request) former(name string) (id Identity, ok bool) {
	if r.verb != wire.VerbRemove && r.verb != wire.VerbList {
		return Identity{}, false
	}
	err := r.Store.View(func(tx *store.Tx) error {
		user, found, err := tx.User(name)
		id, ok = Identity{Name: name, UID: user.UID}, found
		return err
	})
	return id, ok && err == nil
}

// done checks that no argument is left over.
func (r *request) done() error {
	if len(r.args) > 0 {
		for key := range r.args {
			return problemf(wire.ReasonProtocol, "%s: unknown key %q", r.verb, key)
		}
	}
	return nil
}

// update changes the store and appends the audit record of the command.
func (r *request) update(user string, e store.Event, change func(*store.Tx) error) error {
	return r.updateSaying(user, e, func(tx *store.Tx) (string, error) { return e.Log, change(tx) })
}

// updateSaying is update for a change that says itself what the log is to have.
func (r *request) updateSaying(user string, e store.Event, change func(*store.Tx) (log string, err error)) error {
	return r.updateMany(func(tx *store.Tx) (err error) {
		if e.Log, err = change(tx); err == nil {
			r.record(tx, user, e)
		}
		return err
	})
}

// record appends an audit record of the command.
func (r *request) record(tx *store.Tx, user string, e store.Event) {
	e.Kind, e.User, e.PeerUID, e.PeerPID = lower[r.verb], user, r.peer.UID, r.peer.PID
	e.Log = logText(e.Log)
	tx.Audit(e)
}

// updateMany is update for a change that makes its audit records itself.
func (r *request) updateMany(change func(*store.Tx) error) error {
	err := r.Store.Update(r.ctx, func(tx *store.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		if !r.quota.take(r.peer.UID, r.Clock()) {
			return problemf(wire.ReasonRateLimited, "too many changes: wait a minute")
		}
		return nil
	})
	if errors.Is(err, store.ErrNotCopied) {
		r.Log.Error("done, but not copied", "verb", r.verb, "error", err)
		return problemf(wire.ReasonUnavailable, "%s", textNotCopied)
	}
	return err
}

// textNotCopied is the answer where the configuration demands copies: the change
// can't be taken back any more, as a login can be refused.
const textNotCopied = "this was done, but there is no copy of its audit record, which [audit] strict = true demands\n" +
	"hint: factorctl audit and factorctl list show what was done; factorctl status shows which copies are lost"

// lower are the audit kinds of the verbs that change something.
var lower = map[string]string{
	wire.VerbEnroll: "enroll", wire.VerbRemove: "remove", wire.VerbUnlock: "unlock",
	wire.VerbBypass: "bypass", wire.VerbInvite: "invite", wire.VerbForget: "forget",
	wire.VerbResync: "resync", wire.VerbImport: "import",
}
