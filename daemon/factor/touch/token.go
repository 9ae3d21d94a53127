package touch

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// token is what an OTP that was captured at enrolment is of.
type token interface {
	holder() factor.Keeper
	// id is the record's, as far as it is known before take; added says that it is new.
	id() string
	added() bool
	// take spends the OTP in the transaction that keeps the link, and returns the record.
	take(its factor.Records, now time.Time) (id string, err error)
}

const (
	modhex = "cbdefghijklnrtuv"
	// tokenSize is what of an OTP comes behind the public id.
	tokenSize = 32
)

// publicIDOf splits what looks like a Yubico OTP.
func publicIDOf(otp []byte) (id string, ok bool) {
	if len(otp) < tokenSize || len(otp)%2 != 0 || strings.Trim(string(otp), modhex) != "" {
		return "", false
	}
	return string(otp[:len(otp)-tokenSize]), true
}

// find finds the user's token that the OTP is of, or makes one.
func (n *enrolling) find(ctx context.Context, say func(string)) (token, error) {
	id, ok := publicIDOf(n.otp)
	if !ok {
		return n.verify(ctx, n.f.Code, n.e.RecordsOf(n.f.Code.Name()))
	}
	if n.publicID != "" && !strings.EqualFold(n.publicID, id) {
		return nil, factor.Refusef("the YubiKey that was touched has the public id %q", id)
	}
	for _, r := range n.e.RecordsOf(n.f.OTP.Name()) {
		item, err := n.f.OTP.Describe(r)
		if err != nil || item.Detail["public-id"] != id {
			continue
		}
		if len(n.e.Seed) > 0 {
			return nil, factor.Refusef("that YubiKey is enrolled already, as %q\nhint: leave out its secrets", r.ID)
		}
		return n.verify(ctx, n.f.OTP, []factor.Record{r})
	}
	return n.add(ctx, say, id)
}

// errNoToken is for a key whose OTP nobody here can verify.
const errNoToken = factor.Refusal("what the YubiKey has typed is neither a Yubico OTP nor a code of one of your HOTP tokens\n" +
	"hint: a short touch types slot 1, a long one slot 2; for HOTP, enrol the token first: factorctl enroll hotp")

// verify has the OTP verified as a typed one is.
func (n *enrolling) verify(ctx context.Context, h factor.Keeper, tokens []factor.Record) (token, error) {
	claim, err := h.Verify(ctx, n.login(tokens), n.otp)
	switch {
	case errors.Is(err, factor.ErrNotMine):
		return nil, errNoToken
	case err != nil:
		return nil, err
	}
	t := &enrolled{keeper: h, claim: claim}
	for _, r := range tokens {
		if factor.Number(r.ID, "totp") == 0 { // a key types no code that rests on the time
			t.ids = append(t.ids, r.ID)
		}
	}
	if claim.Outside == nil {
		return t, nil
	}
	if claim.Outside.Admit != nil || claim.Outside.Earlier != nil {
		return nil, errElsewhere
	}
	_, err = claim.Outside.Ask(ctx)
	return t, err
}

func (n *enrolling) login(tokens []factor.Record) factor.Login {
	return factor.Login{User: n.e.User, Now: n.e.Now, Records: tokens, Wanted: true, Proven: true}
}

// enrolled is a token that the user has.
type enrolled struct {
	keeper factor.Keeper
	claim  factor.Claim
	ids    []string // which it may be
}

func (t *enrolled) holder() factor.Keeper { return t.keeper }
func (t *enrolled) added() bool           { return false }

func (t *enrolled) id() string {
	if len(t.ids) == 1 {
		return t.ids[0]
	}
	return ""
}

// take implements token.
func (t *enrolled) take(its factor.Records, _ time.Time) (string, error) {
	found, err := t.claim.Settle(&only{Records: its, ids: t.ids})
	switch {
	case err != nil:
		return "", err
	case found.Outcome == factor.Replayed:
		return "", factor.Refusal("that OTP was used before\nhint: enrol again, and touch the YubiKey when you are told to")
	case found.Outcome != factor.Proven:
		return "", factor.Refusal("that is no OTP of your tokens: " + found.Log)
	}
	return found.ID, nil
}

// fresh is a token that is enrolled with the link.
type fresh struct {
	n     *enrolling
	draft factor.Draft
}

// add drafts the token of a key that is not enrolled yet.
func (n *enrolling) add(ctx context.Context, say func(string), publicID string) (token, error) {
	options := map[string]string{}
	if len(n.e.Seed) > 0 {
		options["public-id"] = publicID
	}
	its := n.e
	its.Kind, its.Options, its.Existing = n.f.OTP.Kinds()[0], maps.Clone(options), n.e.RecordsOf(n.f.OTP.Name())
	draft, err := n.f.OTP.Enroll(its)
	if err != nil { // its text is for the person
		return nil, factor.Refusal(err.Error())
	}
	if draft.Check != nil {
		if err := draft.Check(ctx, say, n.otp); err != nil {
			return nil, err
		}
	}
	return &fresh{n: n, draft: draft}, nil
}

func (t *fresh) holder() factor.Keeper { return t.n.f.OTP }
func (t *fresh) id() string            { return t.draft.ID }
func (t *fresh) added() bool           { return true }

// take implements token. Where the key's secrets were given, the OTP shows whether they
// are its own.
func (t *fresh) take(its factor.Records, now time.Time) (string, error) {
	if err := t.draft.Commit(its, t.n.otp, now); err != nil {
		return "", err
	}
	if len(t.n.e.Seed) == 0 { // the server has shown that, and the OTP is spent with it
		return t.draft.ID, nil
	}
	value, _, err := its.Get(t.draft.ID)
	if err != nil {
		return "", err
	}
	defer clear(value)
	claim, err := t.holder().Verify(context.Background(), t.n.login([]factor.Record{{ID: t.draft.ID, Value: value}}), t.n.otp)
	if err != nil {
		return "", err
	}
	found, err := claim.Settle(its)
	if err == nil && found.Outcome != factor.Proven {
		return "", factor.Refusal("these secrets are not those of the YubiKey that was touched: nothing was enrolled")
	}
	return t.draft.ID, err
}
