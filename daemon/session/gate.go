package session

import (
	"context"
	"errors"
	"time"

	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// ruling is what an attempt, or one answer of it, has come to. The zero value
// is a refusal for an internal reason.
type ruling struct {
	basis  wire.Basis // set only for an allow
	reason wire.Reason
	factor string
	id     string
	text   string // for the person
	log    string // for root
	// more: an answer was wrong, but the attempt goes on. There is no
	// verdict yet.
	more bool
	// sent: nothing was wrong with that answer. What it asked for is on its way.
	sent bool
	// unasked: no factor was asked, so the record goes to the refusals, and
	// nothing of the transaction is kept.
	unasked bool
	// gone: nobody is there to hear the verdict.
	gone bool
}

func refusal(r wire.Reason, text, log string) ruling {
	return ruling{reason: r, text: text, log: log}
}

// decide is the gate: the one place where a verdict is made. It runs settle in
// the transaction that spends what the verdict rests on, appends the audit
// record to the same transaction, and believes neither before both are on disk.
// Whatever goes wrong on the way is a refusal.
func (a *attempt) decide(ctx context.Context, settle func(*store.Tx) (ruling, error)) (v wire.Verdict, more bool) {
	if !a.paid && !a.quota.take(a.peer.UID, a.Clock()) { // before anything is looked at, or guesses were free
		return a.refuse(overQuota()), false
	}
	a.paid = false
	var r ruling
	var e store.Event
	err := a.Store.Update(ctx, func(tx *store.Tx) error {
		var err error
		if r, err = settle(tx); err != nil {
			return err
		}
		if r.unasked {
			return errUnasked // nothing to keep, in audit mode neither
		}
		r = a.inAudit(r)
		e = a.event(r)
		if a.known {
			tx.Audit(e)
		} else if r.basis != wire.BasisNone {
			return errStranger
		}
		return nil
	})
	if errors.Is(err, errUnasked) && r.more {
		return a.verdict(r), true
	}
	if errors.Is(err, errUnasked) {
		return a.refuse(r), false
	}
	if err != nil {
		a.disown(ctx, err)
		return a.refuse(failure(err)), false
	}
	if !a.known && !r.more {
		return a.refuse(r), false
	}
	if !a.known {
		a.copy(e)
	}
	return a.verdict(r), r.more
}

// overQuota refuses a uid that makes too many records.
func overQuota() ruling {
	return refusal(wire.ReasonRateLimited, textTooMany+": "+adviceTooMany, errQuota.Error())
}

// disown drops what a proof has left behind whose login is refused for want of a
// copy of its record: nothing may be remembered that nobody heard of.
func (a *attempt) disown(ctx context.Context, err error) {
	if !a.known || !errors.Is(err, store.ErrNotCopied) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	err = a.Store.Update(ctx, func(tx *store.Tx) error { _, err := tx.Forget(a.identity.Name); return err })
	if err != nil {
		a.Log.Error("forgetting a login without a copy", "user", a.identity.Name, "error", err)
	}
}

// errStranger is an allow for a name that is nobody's: a mistake of ours.
var errStranger = errors.New("an allow for somebody who does not exist")

// errUnasked ends a transaction that turned out to have nothing to keep.
var errUnasked = errors.New("no factor was asked")

// rule is decide for a ruling that spends nothing.
func (a *attempt) rule(ctx context.Context, r ruling) wire.Verdict {
	if r.unasked {
		return a.refuse(r)
	}
	if r.basis == wire.BasisNone { // a refusal is recorded even if its time is over
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		defer cancel()
	}
	v, _ := a.decide(ctx, func(*store.Tx) (ruling, error) { return r, nil })
	return v
}

// refuse makes the verdict of an attempt in which no factor was asked, or that
// could not be recorded. It never allows, but in audit mode.
func (a *attempt) refuse(r ruling) wire.Verdict {
	r = a.inAudit(ruling{reason: r.reason, text: r.text, log: r.log, gone: r.gone})
	e := a.event(r)
	if r.basis != wire.BasisNone { // an allow needs its audit record, like any other
		err := a.Store.Update(a.ctx, func(tx *store.Tx) error { tx.Audit(e); return nil })
		if err == nil {
			return a.verdict(r)
		}
		r = failure(err)
		e = a.event(r)
	}
	a.refused(e)
	return a.verdict(r)
}

// failure is the refusal of what could not be recorded, or not be copied though
// the configuration demands it.
func failure(err error) ruling {
	r := refusal(reasonOf(err), "", err.Error())
	if errors.Is(err, store.ErrNotCopied) {
		r.text = textUnavailable
	}
	return r
}

// refused records a refusal that came before any factor was asked.
func (c *conn) refused(e store.Event) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), settleTime)
	defer cancel()
	first, err := c.Store.Refuse(ctx, e)
	if err != nil {
		e.Log += " (not recorded: " + err.Error() + ")"
	}
	if first || c.peer.UID == 0 { // others could fill the journal
		c.copy(e)
	}
}

// copy gives away a copy of what is not in the chain of audit records.
func (c *conn) copy(e store.Event) {
	if c.Refused != nil {
		c.Refused(e)
	}
}

// inAudit turns a refusal under a rule of mode "audit" into an allow that says
// what would have been. Refusals that no rule made, or that factord itself is
// the cause of, stay.
func (a *attempt) inAudit(r ruling) ruling {
	if a.plan.Mode != policy.Audit || a.plan.Refuse != policy.NotRefused || r.more || r.basis != wire.BasisNone {
		return r
	}
	switch r.reason {
	case wire.ReasonNone, wire.ReasonInternal, wire.ReasonProtocol, wire.ReasonNotPermitted, wire.ReasonNoRule:
		return r
	}
	if !a.known || r.gone || a.ctx.Err() != nil {
		return r
	}
	return ruling{basis: wire.BasisAudit, reason: r.reason, log: "audit mode: " + r.log}
}

// verdict is what the client is told.
func (a *attempt) verdict(r ruling) wire.Verdict {
	if r.basis == wire.BasisNone {
		return wire.Verdict{Reason: r.reason, Rule: a.ruleName(), Text: r.text}
	}
	return wire.Verdict{Allow: true, Basis: r.basis, Reason: r.reason, Factor: r.factor, Rule: a.ruleName(), Text: r.text}
}

func (a *attempt) ruleName() string {
	if a.plan.Rule == nil {
		return ""
	}
	return a.plan.Rule.Name
}

// event is the audit record of a ruling.
func (a *attempt) event(r ruling) store.Event {
	e := store.Event{
		Kind: "verdict", User: a.name(), Service: a.auth.Service, RHost: a.auth.RHost, RUser: a.auth.RUser,
		TTY: a.auth.TTY, Command: a.auth.Command, Key: a.key, PeerUID: a.peer.UID, PeerPID: a.peer.PID,
		Verdict: "deny", Reason: r.reason.String(), Rule: a.ruleName(), Factor: r.factor, ID: r.id, Log: logText(r.log),
		Micros: time.Since(a.begun).Microseconds(),
	}
	if a.auth.Phase == wire.PhaseAccount {
		e.Phase = a.auth.Phase.String()
	}
	if a.plan.SubjectCaller {
		e.Target = a.auth.User
	}
	switch {
	case r.sent:
		e.Kind, e.Verdict, e.Reason = "sent", "", ""
	case r.more:
		e.Kind, e.Verdict = "answer", ""
	case r.basis != wire.BasisNone:
		e.Verdict, e.Basis = "allow", r.basis.String()
		if r.basis != wire.BasisAudit {
			e.Reason = ""
		}
	}
	return e
}
