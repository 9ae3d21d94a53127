package session

import (
	"encoding/json"
	"errors"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// target is the token that a resync is about.
type target struct {
	user   string
	holder string // the factor that keeps it
	id     string
	factor factor.Resyncer
}

// resync finds the counter of a token again by two codes in a row. Whoever can
// read codes from a token can give two, so that is no proof of who asks: a user
// shows another factor first.
//
// Wrong pairs are not counted against the budget, which the proof before them has
// just cleared. What bounds them is that proof: a code spent for every three. A
// pair that is guessed moves the counter and lets nobody in.
func (r *request) resync() (any, error) {
	t := target{id: r.args.Take("id")}
	id, err := r.subject()
	if err != nil {
		return nil, err
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	t.user = id.Name
	if err := r.findTarget(id, &t); err != nil {
		return nil, err
	}
	l, err := r.authoriseBeside(id, t)
	if err != nil {
		return nil, err
	}
	for tries := maxAnswers; ; tries-- {
		reply, err := r.tryResync(id, t, l)
		if !errors.Is(err, factor.ErrResync) {
			return reply, err
		}
		r.refused(store.Event{Kind: lower[r.verb], User: id.Name, PeerUID: r.peer.UID, PeerPID: r.peer.PID,
			Factor: t.holder, ID: t.id, Reason: wire.ReasonDenied.String(), Log: "wrong codes"})
		if tries == 1 {
			return nil, problemf(wire.ReasonDenied, "%s: nothing was changed\nhint: a token that is too far ahead, or has a new secret, is to be removed and enrolled again", err)
		}
		r.info(err.Error() + ": try the next two")
	}
}

// findTarget finds the factor that can resync the token, before anybody is asked
// for codes. No codes are never right, so what else is said of them is about the
// token.
func (r *request) findTarget(id Identity, t *target) (err error) {
	if t.holder, err = r.holder(t.user, t.id); err != nil {
		return err
	}
	for _, f := range r.Factors {
		if s, ok := f.(factor.Resyncer); ok && f.Name() == t.holder {
			t.factor = s
		}
	}
	if t.factor == nil {
		return problemf(wire.ReasonDenied, "%q has no counter\nhint: only HOTP tokens and YubiKeys are resynced; factorctl list shows which are", t.id)
	}
	return r.Store.View(func(tx *store.Tx) error {
		if err := r.sameAccount(tx, id); err != nil {
			return err
		}
		_, err := t.factor.Resync(tx.Scope(t.user, t.holder), t.id, nil, nil, r.Clock())
		if !errors.Is(err, factor.ErrResync) {
			return problemf(wire.ReasonDenied, "%v", err)
		}
		return nil
	})
}

// tryResync asks for two codes and moves the counter behind them. It says that they
// are to be new: after a restore on another machine nobody knows which were spent,
// and two spent ones would make those behind them good again.
func (r *request) tryResync(id Identity, t target, l leave) (any, error) {
	first, err := r.inquire(wire.Secret, "First code, which the token shows now: ", wire.MaxAnswer)
	if err != nil {
		return nil, err
	}
	defer first.Wipe()
	next, err := r.inquire(wire.Secret, "Next code: ", wire.MaxAnswer)
	if err != nil {
		return nil, err
	}
	defer next.Wipe()
	reply := map[string]any{"id": t.id, "user": t.user}
	err = r.updateSaying(t.user, store.Event{Factor: t.holder, ID: t.id}, func(tx *store.Tx) (string, error) {
		if err := r.use(tx, id, l); err != nil {
			return "", err
		}
		rs := tx.Scope(t.user, t.holder)
		log, err := t.factor.Resync(rs, t.id, trim(first), trim(next), r.Clock())
		if err != nil && !errors.Is(err, factor.ErrResync) {
			return "", problemf(wire.ReasonDenied, "%s", err)
		}
		if counter := counterOf(t, rs); counter != "" {
			reply["counter"] = counter
		}
		return log, err
	})
	return reply, err
}

// counterOf is the counter that the token is shown with, if it is.
func counterOf(t target, rs factor.Records) json.Number {
	d, ok := t.factor.(factor.Describer)
	value, found, err := rs.Get(t.id)
	if !ok || !found || err != nil {
		return ""
	}
	item, _ := d.Describe(factor.Record{ID: t.id, Value: value})
	return json.Number(item.Detail["counter"])
}
