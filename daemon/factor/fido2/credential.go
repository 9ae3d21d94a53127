package fido2

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/fido2/assertion"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/wire/agent"
)

const (
	version = 1
	kind    = "fido2"
	maxRPID = 255 // bytes
)

// credential is one record: a key pair of which the private half is in a security key.
type credential struct {
	key.Head
	// RPID is the relying party that it was made for. It stays, whatever the
	// configuration says later: the key knows the credential by it.
	RPID string `json:"rp-id"`
	// U2F: it was made with the older protocol, of which RPID is the AppID.
	U2F        bool              `json:"u2f,omitempty"`
	Credential []byte            `json:"credential"`
	COSE       []byte            `json:"public-key"`
	Counter    assertion.Counter `json:"counter"`
	// PIN and UV are what the key asks of its owner at each login beside the touch: its
	// PIN, or what it knows them by itself, such as a fingerprint.
	PIN bool `json:"pin,omitempty"`
	UV  bool `json:"uv,omitempty"`
	// Protected: the key hides the credential from who shows neither (CTAP 2.1, 12.1).
	Protected bool `json:"protected,omitempty"`

	public assertion.PublicKey
}

// Kind implements record.Entry.
func (c *credential) Kind() string { return kind }

// Check implements record.Entry.
func (c *credential) Check() (err error) {
	switch {
	case c.Version != version:
		return fmt.Errorf("version %d is unknown", c.Version)
	case !isRPID(c.RPID):
		return errors.New("relying party's id is empty, too long or no printable ASCII")
	case len(c.Credential) == 0 || len(c.Credential) > assertion.MaxCredentialID:
		return errors.New("credential id has a wrong size")
	case c.NoPresence:
		return errors.New("a security key is always touched")
	case c.U2F && (c.PIN || c.UV || c.Protected):
		return errors.New("a U2F credential knows of a touch only")
	case c.PIN && c.UV:
		return errors.New("both PIN and built-in verification are demanded")
	}
	c.public, err = assertion.ParsePublicKey(c.COSE)
	return err
}

// isRPID reports whether factord-usb takes it: "factord", "pam://host", OpenSSH's "ssh:".
func isRPID(s string) bool {
	return s != "" && len(s) <= maxRPID && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// terms are what credentials have to have in common to be asked for at once.
type terms struct {
	rpID    string
	pin, uv bool
}

func (c *credential) terms() terms {
	return terms{c.RPID, c.PIN, c.UV}
}

// wanted is the credential as factord-usb is asked for it.
func (c *credential) wanted() agent.Credential {
	w := agent.Credential{ID: c.Credential, Public: c.COSE, Protected: c.Protected}
	if c.U2F {
		w.AppID = c.RPID
	}
	return w
}

// verify checks what a key has signed, and takes over its counter. Errors are about the
// key.
func (c *credential) verify(r agent.AssertReply, clientHash []byte) error {
	party := assertion.Credential{RPIDHash: sha256.Sum256([]byte(c.RPID)), Key: c.public}
	counter, flags, err := party.Check(r.AuthData, clientHash, r.Signature)
	if err != nil {
		return err
	}
	if (c.PIN || c.UV) && !flags.Verified() {
		return errors.New("the key did not verify its owner")
	}
	if err := c.Counter.Advance(counter); err != nil {
		return fmt.Errorf("%w: there may be a copy of the key", err)
	}
	c.Counter = counter
	return nil
}

// again reads a credential as it is kept now. It is nil if it is not there any more.
func (c *credential) again(rs factor.Records) (*credential, error) {
	value, ok, err := rs.Get(c.ID)
	if err != nil || !ok {
		return nil, err
	}
	now, err := record.Decode[credential](factor.Record{ID: c.ID, Value: value})
	if err != nil || !now.public.Equal(c.public) {
		return nil, err
	}
	return now, nil
}

// admit says whether a user who has these credentials may have this one as well.
func (c *credential) admit(existing []*credential) error {
	if err := key.Full(len(existing)); err != nil {
		return err
	}
	for _, other := range existing {
		if c.public.Equal(other.public) {
			return factor.Refusal(fmt.Sprintf("that credential is enrolled already, as %q", other.ID))
		}
	}
	return record.Admit(c, existing)
}

func (c *credential) detail() map[string]string {
	d := c.Detail()
	d["rp-id"], d["algorithm"] = c.RPID, c.public.Algorithm().String()
	switch {
	case c.PIN:
		d["verification"] = "PIN"
	case c.UV:
		d["verification"] = "by the key itself"
	}
	if c.U2F {
		d["protocol"] = "U2F"
	}
	return d
}
