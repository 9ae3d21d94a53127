package totp

import (
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/factord/factord/daemon/factor"
)

// madeSecret is the length of a secret made here, in bytes: RFC 4226, 4 (R6)
// recommends 160 bits.
const madeSecret = 20

var errSecretSize = fmt.Errorf("secret is not of %d to %d bytes", minSecret, maxSecret)

// seed is the secret of a token. It prints as "[secret]"; only MarshalText, for
// the record, writes it out.
type seed []byte

// Format implements fmt.Formatter for every verb.
func (s seed) Format(f fmt.State, verb rune) { factor.Secret(s).Format(f, verb) }

// MarshalText writes base32 without padding.
func (s seed) MarshalText() ([]byte, error) {
	return base32.StdEncoding.WithPadding(base32.NoPadding).AppendEncode(nil, s), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *seed) UnmarshalText(text []byte) error {
	var err error
	*s, err = parseBase32(string(text))
	return err
}

// makeSeed makes a secret.
func makeSeed(random io.Reader) (seed, error) {
	s := make(seed, madeSecret)
	if _, err := io.ReadFull(random, s); err != nil {
		return nil, fmt.Errorf("making a secret: %v", err)
	}
	return s, nil
}

// parseBase32 reads a secret as sites show it: in either case, in groups with
// spaces between them, with or without padding. Errors don't quote it.
func parseBase32(text string) (seed, error) {
	text = strings.ToUpper(strings.ReplaceAll(text, " ", ""))
	if len(text) > 2*maxSecret {
		return nil, errSecretSize
	}
	bare := strings.TrimRight(text, "=")
	if len(text)-len(bare) > 6 {
		return nil, errors.New("secret has too much padding")
	}
	switch len(bare) % 8 { // RFC 4648, 6: no number of bytes ends so
	case 1, 3, 6:
		return nil, errors.New("secret is not complete base32: a character is missing or too many")
	}
	s, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(bare)
	if err != nil || strings.ContainsAny(bare, "\r\n") { // which the decoder skips
		return nil, errors.New("secret is not base32: letters A to Z and digits 2 to 7")
	}
	if len(s) < minSecret || len(s) > maxSecret {
		return nil, errSecretSize
	}
	return s, nil
}

// parseSeed reads a secret that exists already: base32, or an otpauth URI, which
// may say more about the token.
func parseSeed(kind string, text factor.Secret) (seed, map[string]string, error) {
	if len(text) > maxURI {
		return nil, nil, fmt.Errorf("secret is longer than %d bytes", maxURI)
	}
	// Files and clipboards add a line end.
	s := strings.Trim(string(text), " \t\r\n")
	if strings.Contains(s, ":") {
		return parseURI(kind, s)
	}
	secret, err := parseBase32(s)
	return secret, nil, err
}
