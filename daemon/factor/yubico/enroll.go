package yubico

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/factor/yubico/ykval"
)

// Shown is a new key, as the person who enrols sees it. There is no secret in it.
type Shown struct {
	ID       string `json:"id"`
	Factor   string `json:"factor"`
	Name     string `json:"name"`
	PublicID string `json:"public-id,omitempty"` // not known before the first touch
}

// Enroll implements factor.Keeper. With the key's secrets, "PRIVATE-ID AES-KEY" in
// hexadecimal, the key is verified here; without, by the servers, which a touch of
// the key has to confirm.
func (f *Factor) Enroll(e factor.Enrolment) (factor.Draft, error) {
	existing, err := record.DecodeAll[key](e.Existing)
	if err != nil {
		return factor.Draft{}, err
	}
	k := &key{Head: record.Head{Version: version}}
	record.Name(k, e.Name, existing)
	if err := factor.CheckName(k.Name); err != nil {
		return factor.Draft{}, err
	}
	if err := k.set(e.Options); err != nil {
		return factor.Draft{}, err
	}
	d := factor.Draft{ID: k.ID, Show: Shown{ID: k.ID, Factor: kind, Name: k.Name, PublicID: k.PublicID}}
	if len(e.Seed) > 0 {
		return k.draftLocal(d, e, existing)
	}
	if f.servers == nil {
		return factor.Draft{}, errors.New("there is no [[yubico.server]] to verify the key\nhint: root can give the key's secrets with --public-id, --private-id-file and --aes-key-file")
	}
	if err := k.admit(existing); err != nil {
		return factor.Draft{}, err
	}
	touch := &firstTouch{factor: f, key: k}
	d.Ask, d.Check, d.Commit = "Touch the new YubiKey: ", touch.check, touch.commit
	return d, nil
}

// NotYourSeed implements factor.SeedKeeper. A key belongs to one user, so who could
// enrol somebody's public id with made-up secrets would keep them from using it.
func (f *Factor) NotYourSeed() string {
	text := "only root may enroll a YubiKey by its secrets\nhint: "
	if f.servers == nil {
		return text + "ask your administrator"
	}
	return text + "leave out --private-id-file and --aes-key-file: a touch enrols it"
}

// draftLocal is a key that is verified here.
func (k *key) draftLocal(d factor.Draft, e factor.Enrolment, existing []*key) (factor.Draft, error) {
	if k.PublicID == "" {
		return d, errors.New("the key's public id is missing\nhint: --public-id, the characters that it types before the last 32")
	}
	var err error
	if k.Local, err = parseSecrets(e.Seed); err != nil {
		return d, err
	}
	if err := k.admit(existing); err != nil {
		return d, err
	}
	d.Commit = func(rs factor.Records, _ factor.Secret, now time.Time) error {
		kept := *k
		return kept.keep(rs, now)
	}
	return d, nil
}

// set takes over what was said beside the secrets.
func (k *key) set(options map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if name != "public-id" {
			return fmt.Errorf("a YubiKey has no %q\nhint: --public-id, --private-id-file and --aes-key-file", name)
		}
		k.PublicID = strings.ToLower(options[name])
		if err := checkPublicID(k.PublicID); err != nil {
			return err
		}
	}
	return nil
}

// parseSecrets reads a private id and an AES key. Errors don't quote them.
func parseSecrets(text factor.Secret) (*local, error) {
	l := &local{}
	fields := bytes.Fields(text)
	if len(fields) != 2 || l.PrivateID.UnmarshalText(fields[0]) != nil || l.AESKey.UnmarshalText(fields[1]) != nil ||
		len(l.PrivateID) != privateIDSize || len(l.AESKey) != aesKeySize {
		return nil, fmt.Errorf("the secrets are not a private id of %d and an AES key of %d hexadecimal digits", 2*privateIDSize, 2*aesKeySize)
	}
	return l, nil
}

// admit says whether a user who has these keys may have this one as well.
func (k *key) admit(existing []*key) error {
	if len(existing) >= maxKeys {
		return factor.Refusal(fmt.Sprintf("no more than %d YubiKeys per user", maxKeys))
	}
	for _, other := range existing {
		if k.same(other) {
			return factor.Refusal(fmt.Sprintf("that YubiKey is enrolled already, as %q", other.ID))
		}
	}
	return record.Admit(k, existing)
}

// same reports whether an OTP of one could be taken for one of the other.
func (k *key) same(other *key) bool {
	return k.PublicID != "" && k.PublicID == other.PublicID || k.Local.equal(other.Local)
}

// Errors about who has a key.
const errOthersKey = factor.Refusal("that YubiKey is another user's")

var errUnknownOwners = errors.New("it can't be known whether another user has this YubiKey")

// unknownOwner is about a record that can't be read: it may be of the key that another
// user is about to get. It is no Refusal, since others than root don't hear who has one.
func unknownOwner(user, id string) error {
	return fmt.Errorf("%w: %q of user %q can't be read\nhint: factorctl remove %s --user %s clears it away; then that key is enrolled anew",
		errUnknownOwners, id, user, id, user)
}

// keep puts a key that nobody else has. Two users with one key could each use an
// OTP that the other has spent; and whoever finds a key must not make it theirs.
func (k *key) keep(rs factor.Records, now time.Time) error {
	existing, err := record.List[key](rs)
	if err != nil {
		return err
	}
	if err := k.admit(existing); err != nil {
		return err
	}
	all, ok := rs.(factor.Neighbours)
	if !ok {
		return errUnknownOwners
	}
	for user, r := range all.Others() {
		other, err := record.Decode[key](r)
		if err != nil {
			return unknownOwner(user, r.ID)
		}
		if k.same(other) {
			return errOthersKey
		}
	}
	k.Created = record.Stamp(now)
	if err := record.Check(k); err != nil {
		return err
	}
	return record.Put(rs, k)
}

// firstTouch is the enrolment of a key that the servers verify.
type firstTouch struct {
	factor *Factor
	key    *key
	otp    []byte // of the answer below
	answer ykval.Answer
}

// check asks the servers about the first OTP.
func (t *firstTouch) check(ctx context.Context, _ func(string), first factor.Secret) (err error) {
	publicID, token, ok := typed(first)
	switch {
	case !ok:
		return fmt.Errorf("%w\nhint: touch the YubiKey; it types 32 to 64 letters", factor.ErrFirstCode)
	case t.key.PublicID != "" && t.key.PublicID != string(publicID):
		return fmt.Errorf("%w\nhint: this YubiKey has the public id %q", factor.ErrFirstCode, publicID)
	}
	if err := checkPublicID(string(publicID)); err != nil {
		return fmt.Errorf("%w\nhint: this YubiKey types no public id that could tell it from others", factor.ErrFirstCode)
	}
	t.otp = slices.Concat(publicID, token)
	if t.answer, err = t.factor.consult(ctx, t.otp); err != nil {
		return err
	}
	switch t.answer.Outcome {
	case ykval.Accepted:
		return nil
	case ykval.Replayed:
		return fmt.Errorf("%w\nhint: it was used before: touch the YubiKey once more", factor.ErrFirstCode)
	}
	return fmt.Errorf("%w\nhint: the validation server does not know it", factor.ErrFirstCode)
}

// commit keeps the key that the servers have just accepted an OTP of, or, if root
// asks for no touch, the one that root names.
func (t *firstTouch) commit(rs factor.Records, first factor.Secret, now time.Time) error {
	kept := *t.key
	if first == nil {
		if kept.PublicID == "" {
			return factor.Refusal("it is not known which YubiKey is meant\nhint: --public-id, or a touch without --no-confirm")
		}
		return kept.keep(rs, now)
	}
	publicID, token, ok := typed(first)
	if !ok || t.answer.Outcome != ykval.Accepted || !bytes.Equal(t.otp, slices.Concat(publicID, token)) {
		return factor.ErrFirstCode
	}
	kept.PublicID = string(publicID)
	kept.note(t.answer, t.otp)
	return kept.keep(rs, now)
}
