package totp

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// maxURI is the length of the longest otpauth URI that is read, in bytes.
const maxURI = 2048

// The format of the otpauth URIs is the "Key Uri Format" of Google
// Authenticator's wiki: otpauth://TYPE/ISSUER:ACCOUNT?secret=…&issuer=….

var errNoSecret = errors.New("it has no secret")

// uri is the URI that a user's app reads.
func (t *token) uri(issuer, account string) (string, error) {
	if strings.Contains(issuer, ":") || strings.Contains(account, ":") {
		return "", fmt.Errorf("issuer %q or user %q has a colon, which apps take for the end of the issuer\nhint: choose another issuer in the configuration", issuer, account)
	}
	key, err := t.key()
	if err != nil {
		return "", fmt.Errorf("making the otpauth URI: %v", err)
	}
	u, err := url.Parse(key.URL())
	if err != nil {
		return "", errors.New("making the otpauth URI: it does not parse")
	}
	q := u.Query()
	q.Set("issuer", issuer)
	if t.HOTP != nil {
		q.Set("counter", strconv.FormatUint(t.HOTP.Next, 10))
	}
	// Apps take "+" for a plus: a space has to be %20.
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	u.Path = "/" + issuer + ":" + account
	u.RawPath = "/" + url.PathEscape(issuer) + ":" + url.PathEscape(account)
	return u.String(), nil
}

// key lets pquerna/otp write the parameters. It leaves "&", "=" and "+" of an
// issuer as they are, and HOTP's counter out; so it gets a placeholder for the
// names, and uri puts in the rest.
func (t *token) key() (*otp.Key, error) {
	const placeholder = "-"
	alg, err := algorithm(t.Algorithm)
	if err != nil {
		return nil, err
	}
	if t.HOTP != nil {
		return hotp.Generate(hotp.GenerateOpts{
			Issuer: placeholder, AccountName: placeholder,
			Secret: t.Secret, Digits: otp.Digits(t.Digits), Algorithm: alg,
		})
	}
	return totp.Generate(totp.GenerateOpts{
		Issuer: placeholder, AccountName: placeholder, Period: uint(t.TOTP.Period),
		Secret: t.Secret, Digits: otp.Digits(t.Digits), Algorithm: alg,
	})
}

// parseURI reads an otpauth URI of the given kind completely or not at all: an
// app that read it differently would show codes that are always wrong. Errors
// don't quote the URI, since it has the secret.
func parseURI(kind, text string) (seed, map[string]string, error) {
	fail := func(format string, a ...any) (seed, map[string]string, error) {
		return nil, nil, fmt.Errorf("reading the otpauth URI: "+format, a...)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return fail("it has a space or a character that is not ASCII")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fail("it is not a URI")
	case u.Scheme != "otpauth":
		return fail("it does not begin with otpauth://")
	case u.Host != kind:
		return fail("it is not of a %s token", kind)
	case u.User != nil, u.Opaque != "", strings.Contains(text, "#"):
		return fail("it has parts that no otpauth URI has")
	}
	params, err := parseQuery(u.RawQuery)
	if err != nil {
		return fail("%v", err)
	}
	if err := sameIssuer(strings.TrimPrefix(u.Path, "/"), params); err != nil {
		return fail("%v", err)
	}
	secret, err := parseBase32(params["secret"])
	if err != nil {
		return fail("%v", err)
	}
	for _, key := range []string{"secret", "issuer", "image"} {
		delete(params, key)
	}
	return secret, params, nil
}

// parseQuery splits the parameters; each has to be known and may come once.
// Which of them apply to the kind is seen when they are set.
func parseQuery(raw string) (map[string]string, error) {
	params := make(map[string]string)
	if raw == "" {
		return nil, errNoSecret
	}
	for pair := range strings.SplitSeq(raw, "&") {
		name, escaped, _ := strings.Cut(pair, "=")
		switch name {
		case "secret", "issuer", "image", "algorithm", "digits", "period", "counter":
		default:
			if len(name) >= minSecret { // it can be a secret in the wrong place
				name = "…"
			}
			return nil, fmt.Errorf("unknown parameter %q", name)
		}
		if _, twice := params[name]; twice {
			return nil, fmt.Errorf("parameter %q comes twice", name)
		}
		value, err := url.PathUnescape(escaped)
		if err != nil {
			return nil, fmt.Errorf("parameter %q is not percent-encoded", name)
		}
		params[name] = value
	}
	if params["secret"] == "" {
		return nil, errNoSecret
	}
	return params, nil
}

// sameIssuer compares the two places where a URI names the issuer: where they
// differ, it is not what its maker wanted, or made to deceive.
func sameIssuer(label string, params map[string]string) error {
	before, _, prefixed := strings.Cut(label, ":")
	issuer := params["issuer"]
	if !prefixed || issuer == "" || issuer == before || strings.ReplaceAll(issuer, "+", " ") == before {
		return nil
	}
	return fmt.Errorf("its label says issuer %q, its parameter %q\nhint: ask for a new code from whoever made it, or give only the base32 secret", before, issuer)
}
