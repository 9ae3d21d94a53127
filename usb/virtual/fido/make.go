package fido

import (
	"crypto/sha256"
	"slices"
)

type makeRequest struct {
	ClientDataHash []byte          `cbor:"1,keyasint"`
	RP             rp              `cbor:"2,keyasint"`
	User           user            `cbor:"3,keyasint"`
	Params         []parameter     `cbor:"4,keyasint"`
	Exclude        []descriptor    `cbor:"5,keyasint"`
	Extensions     map[string]any  `cbor:"6,keyasint"`
	Options        map[string]bool `cbor:"7,keyasint"`
	Auth           []byte          `cbor:"8,keyasint"`
	Protocol       uint            `cbor:"9,keyasint"`
}

// makeCredential is 6.1.
func (t *transaction) makeCredential(r makeRequest) (any, error) {
	if len(r.ClientDataHash) != sha256.Size || r.RP.ID == "" || len(r.User.ID) == 0 || len(r.Params) == 0 {
		return nil, statusMissingParameter
	}
	if up, given := r.Options["up"]; given && !up {
		return nil, statusInvalidOption
	}
	alg := 0
	for _, p := range r.Params {
		if p.Type == publicKey && (p.Alg == algES256 && !t.NoES256 || p.Alg == algEdDSA) && alg == 0 {
			alg = p.Alg
		}
	}
	if alg == 0 {
		return nil, statusUnsupportedAlg
	}
	verified, err := t.verified(gate{r.ClientDataHash, r.RP.ID, r.Options["uv"], r.Auth, r.Protocol, permitMake, r.Auth != nil})
	if err != nil {
		return nil, err
	}
	// CTAP 2.0 made no credential without the PIN that was set; 2.1 insists for
	// resident ones alone, as makeCredUvNotRqd says.
	if !verified && t.key.pinHash != nil && (t.Old || r.Options["rk"]) {
		return nil, statusPUATRequired
	}
	hash := sha256.Sum256([]byte(r.RP.ID))
	excluded := len(r.Exclude) > 0 && len(t.key.find(hash, r.Exclude, verified)) > 0
	if err := t.touch(); err != nil {
		return nil, err
	}
	t.pin.used()
	if excluded {
		return nil, statusExcluded
	}
	c := newCredential(hash, alg)
	c.user, c.resident = r.User, r.Options["rk"]
	c.protect = t.Protect
	if level, ok := r.Extensions["credProtect"].(uint64); ok && level <= 3 {
		c.protect = int(level)
	}
	t.key.keep(c)
	flags := byte(flagUP)
	if verified {
		flags |= flagUV
	}
	authData := t.authData(c, flags, true)
	form, statement := t.attest(c, authData, r.ClientDataHash)
	return map[int]any{1: form, 2: authData, 3: statement}, nil
}

// keep remembers a credential. A resident one replaces that of the same user (6.1.2).
func (k *Key) keep(c *credential) {
	if c.resident {
		k.credentials = slices.DeleteFunc(k.credentials, func(o *credential) bool {
			return o.resident && o.rpIDHash == c.rpIDHash && slices.Equal(o.user.ID, c.user.ID)
		})
	}
	k.credentials = append(k.credentials, c)
}

// attest makes the attestation statement (WebAuthn, 8.2).
func (t *transaction) attest(c *credential, authData, clientDataHash []byte) (form string, statement map[string]any) {
	switch t.Attestation {
	case NoAttestation:
		return "none", map[string]any{}
	case BasicAttestation:
		key, certificate := attestationKey(true)
		return "packed", map[string]any{"alg": algES256, "sig": sign(key, slices.Concat(authData, clientDataHash)), "x5c": [][]byte{certificate}}
	}
	return "packed", map[string]any{"alg": c.alg(), "sig": c.sign(authData, clientDataHash)}
}
