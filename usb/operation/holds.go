package operation

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/factord/factord/daemon/factor/fido2/assertion"
	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb/ctap"
)

// credential is one that is looked for, with what it is known by.
type credential struct {
	agent.Credential
	known assertion.Credential
}

func credentials(q agent.AssertRequest) (all []credential, err error) {
	for _, c := range q.Credentials {
		k := credential{Credential: c}
		k.known.RPIDHash = sha256.Sum256([]byte(cmp.Or(c.AppID, q.RPID)))
		if k.known.Key, err = assertion.ParsePublicKey(c.Public); err != nil {
			return nil, fmt.Errorf("the credential %.8x: %w", c.ID, err)
		}
		all = append(all, k)
	}
	return all, nil
}

// holds looks which of the credentials the key has: one that it surely has, or else those
// that it may have. Sure is what it has signed: any device can say yes, to be shown the PIN
// or to have the right key passed over. (U2F has no way to sign without a touch. Nor has it
// PINs or fingerprints.)
func (k *token) holds(ctx context.Context, q agent.AssertRequest, wanted []credential) (found []credential, sure bool, err error) {
	if (q.NeedsPIN || q.UV) && !k.CTAP2() {
		return nil, false, nil
	}
	for _, c := range wanted {
		look := ctap.Look{RPID: q.RPID, ID: c.ID, Protected: c.Protected, Genuine: func(hash [hashSize]byte, a ctap.Assertion) error {
			return c.known.CheckSilent(a.AuthData, hash[:], a.Signature)
		}}
		if c.AppID != "" {
			look.RPID, look.U2F = c.AppID, true
		}
		held, err := k.Holds(ctx, look)
		switch {
		case errors.Is(err, ctap.ErrUnsupported), errors.Is(err, ctap.ErrNoCredentials):
			continue // a key that is too old has none of the newer kind
		case err != nil:
			return nil, false, err
		case held == ctap.Yes:
			return []credential{c}, true, nil
		case held == ctap.Maybe && (len(found) == 0 || found[0].AppID == c.AppID):
			found = append(found, c)
		}
	}
	return found, false, nil
}
