package fido

import (
	"crypto/sha256"
)

type assertRequest struct {
	RPID           string          `cbor:"1,keyasint"`
	ClientDataHash []byte          `cbor:"2,keyasint"`
	Allow          []descriptor    `cbor:"3,keyasint"`
	Extensions     map[string]any  `cbor:"4,keyasint"`
	Options        map[string]bool `cbor:"5,keyasint"`
	Auth           []byte          `cbor:"6,keyasint"`
	Protocol       uint            `cbor:"7,keyasint"`
}

// remaining are the assertions that getNextAssertion has not asked for yet.
type remaining struct {
	cid            uint32
	credentials    []*credential
	flags          byte
	clientDataHash []byte
}

// getAssertion is 6.2.
func (t *transaction) getAssertion(r assertRequest) (any, error) {
	if len(r.ClientDataHash) != sha256.Size || r.RPID == "" {
		return nil, statusMissingParameter
	}
	if _, given := r.Options["rk"]; given {
		return nil, statusUnsupportedOption
	}
	if len(r.Allow) > maxList {
		return nil, statusRequestTooLarge
	}
	up, given := r.Options["up"]
	up = up || !given
	verified, err := t.verified(gate{r.ClientDataHash, r.RPID, r.Options["uv"], r.Auth, r.Protocol, permitAssert, r.Auth != nil})
	if err != nil {
		return nil, err
	}
	found := t.key.find(sha256.Sum256([]byte(r.RPID)), r.Allow, verified)
	if len(found) == 0 {
		return nil, statusNoCredentials
	}
	flags := byte(0)
	if verified {
		flags |= flagUV
	}
	if up {
		if err := t.touch(); err != nil {
			return nil, err
		}
		t.pin.used()
		flags |= flagUP
	}
	count := len(found)
	if len(r.Allow) > 0 {
		count = 1 // the first that fits will do (6.2.2, step 11)
	}
	t.rest = remaining{t.cid, found[1:count], flags, r.ClientDataHash}
	answer := t.assert(found[0], flags, r.ClientDataHash)
	if t.OmitCredential && len(r.Allow) == 1 {
		delete(answer, 1)
	}
	if count > 1 {
		answer[5] = count
	}
	return answer, nil
}

// getNextAssertion is 6.3.
func (t *transaction) getNextAssertion() (any, error) {
	if len(t.rest.credentials) == 0 || t.rest.cid != t.cid {
		return nil, statusNotAllowed
	}
	c := t.rest.credentials[0]
	t.rest.credentials = t.rest.credentials[1:]
	return t.assert(c, t.rest.flags, t.rest.clientDataHash), nil
}

func (t *transaction) assert(c *credential, flags byte, clientDataHash []byte) map[int]any {
	authData := t.authData(c, flags, false)
	answer := map[int]any{1: descriptor{ID: c.id, Type: publicKey}, 2: authData, 3: c.sign(authData, clientDataHash)}
	if c.resident {
		u := user{ID: c.user.ID}
		if flags&flagUV != 0 { // the name is only for the verified
			u = c.user
		}
		answer[4] = u
	}
	return answer
}
