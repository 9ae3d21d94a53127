package totp

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/qr"
)

// maxColumns is how wide a QR code may be that is drawn without knowing the
// terminal.
const maxColumns = 80

// Start implements factor.Starter: a TOTP token with the defaults, as every app
// takes it.
func (f *Factor) Start(_ context.Context, l factor.Login) (factor.Start, error) {
	t, uri, err := f.draft(factor.Enrolment{User: l.User, Kind: kindTOTP, Existing: l.Records})
	if err != nil {
		return factor.Start{}, err
	}
	secret, err := t.Secret.MarshalText()
	if err != nil {
		return factor.Start{}, err
	}
	defer clear(secret)
	return factor.Start{
		Show: append(drawn(uri), "Secret: "+fours(secret)+"  (time-based)"),
		Ask:  "First code from the app",
		Confirm: func(_ context.Context, l factor.Login, answer factor.Secret) (factor.Claim, error) {
			first := bytes.Clone(answer)
			return factor.Claim{Settle: func(rs factor.Records) (factor.Finding, error) {
				defer clear(first)
				return t.start(rs, first, l)
			}}, nil
		},
	}, nil
}

// start keeps the token if the code is its own.
func (t *token) start(rs factor.Records, first factor.Secret, l factor.Login) (factor.Finding, error) {
	err := t.commit(rs, first, l.Now)
	if errors.Is(err, factor.ErrFirstCode) {
		text, hint, _ := strings.Cut(err.Error(), "\nhint: ")
		if hint == "" {
			hint = "try the one shown now"
		}
		return factor.Finding{ID: t.ID, Note: text + ": " + hint, Log: text}, nil
	}
	if err != nil {
		return factor.Finding{}, err
	}
	return factor.Finding{Outcome: factor.Proven, ID: t.ID}, nil
}

// drawn is the QR code of the URI, nothing if it is too wide.
func drawn(uri string) []string {
	lines := []string{"Type the secret into an authenticator app:"}
	code, err := qr.Encode(uri)
	if err != nil || code.Width > maxColumns {
		return lines
	}
	lines[0] = "Scan this with an authenticator app, or type the secret into it:"
	return append(lines, code.Lines()...)
}

// fours splits a secret as one types it.
func fours(secret []byte) string {
	var groups []string
	for four := range slices.Chunk(secret, 4) {
		groups = append(groups, string(four))
	}
	return strings.Join(groups, " ")
}
