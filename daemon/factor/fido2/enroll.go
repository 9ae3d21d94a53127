package fido2

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/fido2/assertion"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/wire/agent"
)

// Shown is a new credential, as the person who enrols sees it. There is no secret in it.
type Shown struct {
	ID     string `json:"id"`
	Factor string `json:"factor"`
	Name   string `json:"name"`
	Key    string `json:"key"` // the maker's name of it
	About  string `json:"about"`
}

// userIDSize is of what a key keeps of a user: random, and no name, since whoever finds
// the key must not learn from it whose it is.
const userIDSize = 32

// Enroll implements factor.Keeper.
func (f *Factor) Enroll(e factor.Enrolment) (factor.Draft, error) {
	existing, err := record.DecodeAll[credential](e.Existing)
	if err != nil {
		return factor.Draft{}, err
	}
	if err := key.Full(len(existing)); err != nil {
		return factor.Draft{}, err
	}
	if e.NoPresence {
		return factor.Draft{}, errors.New("a security key is always touched\nhint: leave out --no-presence")
	}
	c := &credential{Head: key.Head{Head: record.Head{Version: version}}, RPID: f.RPID}
	record.Name(c, e.Name, existing)
	if err := factor.CheckName(c.Name); err != nil {
		return factor.Draft{}, err
	}
	n := &enrolling{f: f, c: c, existing: existing, login: factor.Login{User: e.User, Service: "enrolment"}}
	if err := n.set(e.Options); err != nil {
		return factor.Draft{}, err
	}
	return factor.Draft{ID: c.ID, Begin: n.begin, Commit: n.commit}, nil
}

// set takes over what was said beside.
func (n *enrolling) set(options map[string]string) (err error) {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		switch value := options[name]; {
		case name == "serial":
			if n.c.Serial, err = key.ParseSerial(value); err != nil {
				return err
			}
		case name == "verification" && value == "pin":
			n.c.PIN = true
		case name == "verification" && value == "built-in":
			n.c.UV = true
		case name == "verification":
			return fmt.Errorf("a security key has no verification %q\nhint: pin or built-in; or leave it out, then a touch will do", value)
		default:
			return fmt.Errorf("a security key has no %q\nhint: --verification and --serial", name)
		}
	}
	return nil
}

// enrolling is the setting up of one credential: it is made, and then asked for an
// assertion, as in a login.
type enrolling struct {
	f        *Factor
	c        *credential
	existing []*credential
	login    factor.Login
	chosen   *agent.Key
	pin      *key.PIN
	made     bool // the key has the credential, and no touch is asked for it again
	shown    bool // and has shown it
}

func (n *enrolling) begin(ctx context.Context, say func(string)) (any, error) {
	if n.chosen == nil {
		if err := n.choose(ctx); err != nil {
			return nil, err
		}
	}
	if n.pin != nil {
		if err := n.pin.Next(); err != nil {
			return nil, err
		}
	}
	if err := n.prove(ctx, say); err != nil {
		if n.pin != nil && ctx.Err() == nil {
			err = n.pin.After(err)
		}
		return nil, err
	}
	if n.pin != nil {
		n.pin.Wipe()
	}
	n.shown = true
	return Shown{ID: n.c.ID, Factor: kind, Name: n.c.Name, Key: n.chosen.Name, About: fmt.Sprintf("%s has a new credential, and has shown it", describe(*n.chosen))}, nil
}

// choose finds the key. One with a PIN takes it before it makes a credential.
func (n *enrolling) choose(ctx context.Context) error {
	k, err := n.f.only(ctx, n.login.User, n.c.Serial)
	if err != nil {
		return err
	}
	switch {
	case n.c.PIN && !k.FIDO.PINSet:
		return factor.Refusal("the security key has no PIN\nhint: set one (fido2-token -S, or ykman fido access change-pin), then enrol again")
	case n.c.UV && !k.FIDO.UV:
		return factor.Refusal("the security key does not know its owner by itself\nhint: --verification pin")
	}
	if k.FIDO.PINSet && !n.c.UV {
		n.pin = &key.PIN{Key: describe(k)}
	}
	n.c.Serial, n.chosen = k.Serial, &k
	return nil
}

// prove makes the credential, and has the key show that it has it.
func (n *enrolling) prove(ctx context.Context, say func(string)) error {
	if !n.made {
		fresh, err := n.create(ctx, say)
		if err != nil {
			return err
		}
		n.c.Credential, n.c.COSE, n.c.Counter, n.c.public = fresh.ID, fresh.Key.COSE(), fresh.Counter, fresh.Key
		n.made = true
		if err := n.c.admit(n.existing); err != nil {
			return err
		}
		if err := n.seek(ctx); err != nil {
			return err
		}
		say("Now once more, as in a login.")
	}
	challenge, err := key.Challenge(n.f.Rand, kind, n.f.Host, n.login)
	if err != nil {
		return err
	}
	hash := sha256.Sum256(challenge)
	var reply agent.AssertReply
	q := group{n.c}.request(hash[:])
	if err := n.run(ctx, say, agent.Assert, q, &reply, func() { q.LastTry = n.pin.LastTry() }, q.NeedsPIN); err != nil {
		return err
	}
	if err := n.c.verify(reply, hash[:]); err != nil {
		return factor.Refusef("the security key's answer is not right: %v", err)
	}
	return nil
}

// seek looks for the new credential as a login does, to know whether the key hides it.
func (n *enrolling) seek(ctx context.Context) error {
	var found agent.AssertReply
	q := group{n.c}.request(make([]byte, sha256.Size))
	q.Find = true
	a := key.Asking{Device: n.f.Device, Key: describe(*n.chosen),
		Job: key.Job{Verb: agent.Assert, User: n.login.User, For: "enrolment", Wait: -1, Request: q, Reply: &found}}
	err := a.Run(ctx, func(string) {})
	var e *agent.Error
	switch {
	case err == nil && slices.Equal(found.Credential, n.c.Credential):
		return nil
	case err != nil && (!errors.As(err, &e) || e.Code != agent.Gone):
		return err
	case !n.c.PIN && !n.c.UV:
		return factor.Refusal("the security key answers only who gives its PIN or finger\nhint: --verification pin, or built-in")
	}
	n.c.Protected = true
	return nil
}

func (n *enrolling) create(ctx context.Context, say func(string)) (assertion.Fresh, error) {
	userID := make([]byte, userIDSize)
	hash := make([]byte, sha256.Size)
	for _, b := range [][]byte{userID, hash} {
		if _, err := io.ReadFull(n.f.Rand, b); err != nil {
			return assertion.Fresh{}, err
		}
	}
	var reply agent.CreateReply
	q := &agent.CreateRequest{Port: n.chosen.Port, RPID: n.c.RPID, UserID: userID, ClientHash: hash, UV: n.c.UV, NeedsPIN: n.pin != nil}
	for _, other := range n.existing {
		if other.RPID == n.c.RPID {
			q.Exclude = append(q.Exclude, other.Credential)
		}
	}
	if err := n.run(ctx, say, agent.Create, q, &reply, func() { q.LastTry = n.pin.LastTry() }, q.NeedsPIN); err != nil {
		return assertion.Fresh{}, err
	}
	fresh, err := assertion.ParseFresh(n.c.RPID, reply.AuthData)
	if err != nil {
		return fresh, factor.Refusef("the security key's new credential is not right: %v", err)
	}
	return fresh, nil
}

// run puts one job to the chosen key, with the PIN if it is needed.
func (n *enrolling) run(ctx context.Context, say func(string), verb string, q, reply any, allow func(), needsPIN bool) error {
	a := key.Asking{Device: n.f.Device, Key: describe(*n.chosen),
		Job: key.Job{Verb: verb, Queue: key.Queue(n.chosen.Serial), User: n.login.User, For: "enrolment", Request: q, Reply: reply}}
	if needsPIN {
		allow()
		a.Job.PIN = n.pin.Secret()
	}
	return a.Run(ctx, say)
}

// commit keeps the credential.
func (n *enrolling) commit(rs factor.Records, _ factor.Secret, now time.Time) error {
	if !n.shown {
		return factor.ErrFirstCode
	}
	kept := *n.c
	return kept.keep(rs, now)
}

func (c *credential) keep(rs factor.Records, now time.Time) error {
	existing, err := record.List[credential](rs)
	if err != nil {
		return err
	}
	if err := c.admit(existing); err != nil {
		return err
	}
	c.Created = record.Stamp(now)
	if err := record.Check(c); err != nil {
		return err
	}
	return record.Put(rs, c)
}
