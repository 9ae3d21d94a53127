package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// status says how factord is. Others than root learn that it is there.
func (r *request) status() (any, error) {
	check, err := r.args.TakeFlag("check")
	if err == nil {
		err = r.done()
	}
	switch {
	case err != nil:
		return nil, err
	case check && r.peer.UID != 0:
		return nil, problemf(wire.ReasonNotPermitted, "only root may have servers asked")
	case check && r.Check != nil:
		if _, err := r.outside(func(ctx context.Context) (any, error) { r.Check(ctx); return nil, nil }); err != nil {
			return nil, err
		}
	}
	if r.peer.UID != 0 {
		return map[string]any{"factord": 1, "ready": true}, nil
	}
	reply := map[string]any{"factord": 1, "ready": true}
	if r.Status != nil {
		reply = r.Status()
	}
	var names []string
	for _, f := range r.Factors {
		names = append(names, f.Name())
	}
	reply["factors"] = names
	err = r.Store.View(func(tx *store.Tx) error {
		reply["users"] = tx.CountUsers()
		last, err := tx.LastEvent()
		reply["audit_last"] = last
		return err
	})
	reply["database_bytes"] = r.Store.Size()
	reply["highest_time"] = r.Store.Highest().UTC()
	if behind := r.Store.Highest().Sub(r.Clock()); behind > time.Second {
		reply["clock_behind"] = factor.Span(behind)
	}
	return reply, err
}

// item is a record with the user it belongs to.
type item struct {
	User string `json:"user"`
	factor.Item
}

// list shows the records of one user, or, to root who names none, of all.
func (r *request) list() (any, error) {
	items := []item{}
	_, named := r.args["user"]
	if r.peer.UID == 0 && !named {
		if err := r.done(); err != nil {
			return nil, err
		}
		err := r.Store.View(func(tx *store.Tx) error {
			return tx.Users(func(name string) (err error) {
				items, err = r.describe(tx, name, items)
				return err
			})
		})
		return items, err
	}
	id, err := r.subject()
	if err != nil {
		return nil, err
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	err = r.Store.View(func(tx *store.Tx) (err error) {
		if err := r.sameAccount(tx, id); err != nil && r.peer.UID != 0 {
			return err
		}
		items, err = r.describe(tx, id.Name, items)
		return err
	})
	return items, err
}

// describe appends what may be shown of a user's records.
func (r *request) describe(tx *store.Tx, user string, items []item) ([]item, error) {
	describers := r.describers()
	for _, key := range tx.Keys(user) {
		items = append(items, item{User: user, Item: describeOne(tx, describers, user, key[0], key[1])})
	}
	return items, nil
}

func describeOne(tx *store.Tx, describers map[string]factor.Describer, user, scope, id string) factor.Item {
	damaged := factor.Item{ID: id, Factor: scope, Kind: "damaged"}
	value, found, err := tx.Scope(user, scope).Get(id)
	defer clear(value)
	d := describers[scope]
	if err != nil || d == nil || !found {
		return damaged
	}
	describe := d.Describe
	if b, ok := d.(factor.Borrower); ok {
		describe = func(r factor.Record) (factor.Item, error) {
			return b.DescribeBeside(r, func(other string) []factor.Record { return readable(tx, user, other) })
		}
	}
	described, err := describe(factor.Record{ID: id, Value: value})
	if err != nil {
		return damaged
	}
	return described
}

// readable are those records of a factor that can be read.
func readable(tx *store.Tx, user, name string) []factor.Record {
	list, err := tx.Scope(user, name).List()
	if err != nil && !errors.Is(err, factor.ErrDamaged) {
		return nil
	}
	return list
}

// called is what an audit record says of a record beside its id, which may be another
// one's later: the user's name for it, and what is written on it.
func (r *request) called(tx *store.Tx, user, scope, id string) string {
	var words []string
	it := describeOne(tx, r.describers(), user, scope, id)
	if it.Name != "" {
		words = append(words, fmt.Sprintf("name %q", it.Name))
	}
	if it.Mark != "" {
		words = append(words, it.Mark)
	}
	return strings.Join(words, ", ")
}

// describers are who can say what a user's records are: the factors, and root's
// invitations.
func (r *request) describers() map[string]factor.Describer {
	all := map[string]factor.Describer{inviteScope: r.Invite}
	for _, f := range r.Factors {
		if d, ok := f.(factor.Describer); ok {
			all[f.Name()] = d
		}
	}
	return all
}

// explanation is what factorctl explain prints.
type explanation struct {
	User     string   `json:"user"`
	Service  string   `json:"service"`
	RHost    string   `json:"rhost,omitempty"`
	Rule     string   `json:"rule,omitempty"`
	Mode     string   `json:"mode,omitempty"`
	Factors  []string `json:"factors,omitempty"`
	Enrolled *bool    `json:"enrolled"` // null: not known
	Usable   []string `json:"usable"`
	// Missing says why what somebody outside keeps or does is not offered.
	Missing  map[string]string `json:"missing,omitempty"`
	Outcome  string            `json:"outcome"`
	Waits    string            `json:"waits,omitempty"`
	Remember string            `json:"remember,omitempty"`
	Steps    []policy.Step     `json:"steps,omitempty"` // to root
}

// explain takes an imagined attempt through policy and enrolment, and says what
// would come of it. It asks no person and changes nothing. For root a server is asked
// what the user has there; others could have it asked without end.
func (r *request) explain() (any, error) {
	name := r.args["user"]
	id, err := r.subject()
	a := &attempt{conn: r.conn, caller: policy.CallerRoot, identity: id, known: err == nil, begun: r.Clock()}
	var p *problem
	if unknown := errors.As(err, &p) && p.reason == wire.ReasonDenied; err != nil && !unknown {
		return nil, err // root may ask about a name that is nobody's
	}
	a.auth = wire.Auth{User: name, Service: r.args.Take("service"), RHost: r.args.Take("rhost"), RUser: r.args.Take("ruser"), Conv: wire.ConvPrompt, First: true}
	if r.peer.UID != 0 && a.auth.RUser != "" {
		return nil, problemf(wire.ReasonNotPermitted, "only root may ask about another caller")
	}
	switch caller := r.args.Take("caller"); caller {
	case "user":
		a.caller = policy.CallerUser
	case "", "root":
	default:
		return nil, problemf(wire.ReasonProtocol, "caller is root or user, not %q", caller)
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	outcome := "asked for a factor"
	a.alone = r.peer.UID != 0
	ruling := a.imagine(r.ctx)
	f, _, _ := a.starter()
	switch {
	case ruling != nil && a.alone && ruling.reason == wire.ReasonUnavailable && len(a.standing.outages) > 0:
		outcome = "depends on " + a.standing.outages[0].factor + ", which is asked only when root explains"
	case ruling != nil:
		outcome = describeRuling(*ruling)
	case f != nil:
		outcome = a.describeStart(f)
	}
	e := a.explanation(outcome)
	if r.peer.UID != 0 {
		e.Steps = nil // the rules are root's to read
	}
	return e, nil
}

// imagine takes the steps of an attempt up to the first question.
func (a *attempt) imagine(ctx context.Context) *ruling {
	if r := a.match(ctx); r != nil {
		a.readStanding(ctx) // who is asked nothing may have a factor all the same
		return r
	}
	if r := a.enrolment(ctx); r != nil {
		return r
	}
	if f, _, _ := a.starter(); f != nil {
		return nil
	}
	return a.askable(ctx)
}

func (a *attempt) describeStart(f factor.Starter) string {
	text := "asked to set up " + f.Name() + " in this login"
	if a.needsInvitation() {
		text += ", with the code of the invitation"
	}
	if a.optional() {
		text += ", and let in without if they would rather not"
	}
	return text
}

func describeRuling(r ruling) string {
	if r.basis != wire.BasisNone {
		return joined("allowed, basis "+r.basis.String(), r.log)
	}
	return joined("refused, "+r.reason.String(), r.log)
}

func joined(text, more string) string {
	switch {
	case more == "":
		return text
	case text == "":
		return more
	}
	return text + ": " + more
}

func (a *attempt) explanation(outcome string) explanation {
	e := explanation{User: a.name(), Service: a.auth.Service, RHost: a.auth.RHost, Rule: a.ruleName(),
		Factors: a.plan.Factors, Enrolled: a.hasAny(), Usable: []string{}, Missing: a.missing(), Outcome: outcome, Steps: a.plan.Trace}
	if a.plan.Rule != nil && a.plan.Refuse == policy.NotRefused {
		e.Mode = a.plan.Mode.String()
	}
	for _, o := range a.standing.offers {
		e.Usable = append(e.Usable, o.factor.Name())
	}
	e.Remember = a.remembering()
	if d, reason := a.mustWait(); d > 0 {
		e.Waits = factor.Span(d) + " (" + reason.String() + ")"
	}
	return e
}
