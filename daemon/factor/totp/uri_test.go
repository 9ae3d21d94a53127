package totp

import (
	"encoding/base32"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	pquerna "github.com/pquerna/otp"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
)

func TestURI(t *testing.T) {
	tok, _ := newToken(kindHOTP)
	tok.Secret, tok.Algorithm, tok.Digits, tok.HOTP.Next = seed(rfcSecret), "SHA256", 8, 7
	for issuer, label := range map[string]string{
		"example.com":                 "example.com",
		"Example Corp":                "Example%20Corp",
		"A & B = C + D":               "A%20&%20B%20=%20C%20+%20D",
		"x&secret=AAAAAAAAAAAAAAAAAA": "x&secret=AAAAAAAAAAAAAAAAAA",
		"100% a/b?c#d":                "100%25%20a%2Fb%3Fc%23d",
		"Müller;,":                    "M%C3%BCller%3B%2C",
	} {
		uri, err := tok.uri(issuer, `EX\alice$`)
		if err != nil {
			t.Fatal(err)
		}
		if want := "otpauth://hotp/" + label + `:EX%5Calice$?`; !strings.HasPrefix(uri, want) {
			t.Errorf("%q: %s\nwant %s", issuer, uri, want)
		}
		if strings.Contains(uri[strings.Index(uri, "?"):], "+") {
			t.Errorf("%q: a plus in the query of %s", issuer, uri)
		}
		key, err := pquerna.NewKeyFromURL(uri)
		if err != nil {
			t.Fatal(err)
		}
		if key.Issuer() != issuer || key.AccountName() != `EX\alice$` || key.Type() != "hotp" ||
			key.Secret() != rfcBase32 || key.Algorithm() != pquerna.AlgorithmSHA256 || key.Digits() != 8 {
			t.Errorf("%q: an app reads %s as %q %q", issuer, uri, key.Issuer(), key.AccountName())
		}
		u, err := url.Parse(uri)
		if err != nil || len(u.Query()) != 5 || u.Query().Get("counter") != "7" {
			t.Errorf("%q: %s", issuer, uri)
		}
		if _, _, err := parseURI(kindHOTP, uri); err != nil {
			t.Errorf("%q: does not read its own %s: %v", issuer, uri, err)
		}
	}
	for _, c := range [][2]string{{"a:b", "alice"}, {"a", "al:ice"}} {
		if uri, err := tok.uri(c[0], c[1]); err == nil {
			t.Errorf("made %s", uri)
		}
	}
}

func TestTimedURI(t *testing.T) {
	tok, _ := newToken(kindTOTP)
	tok.Secret, tok.Algorithm, tok.Digits, tok.TOTP.Period = seed(rfcKeys["SHA512"]), "SHA512", 7, 60
	uri, err := tok.uri("Example Corp", "alice")
	want := "otpauth://totp/Example%20Corp:alice?algorithm=SHA512&digits=7&issuer=Example%20Corp&period=60&secret=" +
		strings.TrimRight(base32.StdEncoding.EncodeToString(tok.Secret), "=")
	if err != nil || uri != want {
		t.Errorf("%s\nwant %s (%v)", uri, want, err)
	}
}

func TestSeed(t *testing.T) {
	const q = "?secret=" + rfcBase32
	for _, c := range []struct {
		seed string
		says string // part of the error; empty: fine
	}{
		{rfcBase32, ""},
		{strings.ToLower(rfcBase32) + "\n", ""},
		{"gezd gnbv gy3t qojq gezd gnbv gy3t qojq\r\n", ""},
		{"GEZDGNBVGY3TQOJQGEZDGNBVGY======", ""}, // 16 bytes
		{"GEZDGNBVGY3TQOJQGEZDGNBVGY", ""},
		{"GEZDGNBVGY3TQOJQGEZDGNBV", "16 to 128 bytes"},
		{" \n", "16 to 128 bytes"},
		{rfcBase32 + "=======", "padding"},
		{"=" + rfcBase32, "base32"},
		{rfcBase32 + "A", "not complete base32"},
		{strings.Replace(rfcBase32, "G", "0", 1), "base32"},
		{rfcBase32[:16] + "\n" + rfcBase32[16:], "base32"},
		{rfcBase32 + "\x00", "base32"},
		{strings.Repeat(rfcBase32, 8), "bytes"},
		{strings.Repeat("A", maxURI+1), "longer"},

		{"otpauth://totp/Example:alice" + q + "&issuer=Example", ""},
		{"otpauth://totp/Example%20Corp:alice" + q + "&issuer=Example%20Corp", ""},
		{"otpauth://totp/Example%20Corp%3Aalice" + q + "&issuer=Example+Corp", ""},
		{"otpauth://totp/alice" + q, ""},
		{"otpauth://totp/alice" + q + "&issuer=Example&image=https%3A%2F%2Fx%2Fy.png", ""},
		{"OTPAUTH://totp/alice" + q, ""},
		{"otpauth://totp/alice" + q + "&algorithm=SHA256&digits=8&period=60", ""},
		{"otpauth://totp/a" + strings.ToLower(q), ""},

		{"https://totp/alice" + q, "otpauth://"},
		{"otpauth:totp/alice" + q, "not of a totp"},
		{"otpauth://hotp/alice" + q, "not of a totp token"},
		{"otpauth://TOTP/alice" + q, "not of a totp token"},
		{"otpauth://totp:1/alice" + q, "not of a totp token"},
		{"otpauth://x@totp/alice" + q, "parts"},
		{"otpauth://totp/alice" + q + "#x", "parts"},
		{"otpauth://totp/alice" + q + "#", "parts"},
		{"otpauth://totp/alice", "no secret"},
		{"otpauth://totp/alice?", "no secret"},
		{"otpauth://totp/alice?secret=", "no secret"},
		{"otpauth://totp/alice?issuer=x", "no secret"},
		{"otpauth://totp/alice?secret=ABCD", "16 to 128 bytes"},
		{"otpauth://totp/alice?secret=ABC", "not complete"},
		{"otpauth://totp/alice" + q + q[1:], "base32"},
		{"otpauth://totp/alice" + q + "&" + q[1:], `"secret" comes twice`},
		{"otpauth://totp/alice" + q + "&digits=6&digits=6", `"digits" comes twice`},
		{"otpauth://totp/alice" + q + "&issuer=a&issuer=a", `"issuer" comes twice`},
		{"otpauth://totp/alice" + q + "&", `unknown parameter ""`},
		{"otpauth://totp/alice" + q + "&encoder=steam", `unknown parameter "encoder"`},
		{"otpauth://totp/alice" + q + "&Digits=8", `unknown parameter "Digits"`},
		{"otpauth://totp/alice" + q + "&look-ahead=8", `unknown parameter`},
		{"otpauth://totp/alice?" + rfcBase32, "unknown parameter"},
		{"otpauth://totp/alice" + q + "&algorithm=MD5", `"algorithm"`},
		{"otpauth://totp/alice" + q + "&algorithm=", `"algorithm"`},
		{"otpauth://totp/alice" + q + "&digits=99", `"digits"`},
		{"otpauth://totp/alice" + q + "&period=0", `"period"`},
		{"otpauth://totp/alice" + q + "&counter=1", `"counter": a totp token has none`},
		{"otpauth://totp/Evil:alice" + q + "&issuer=Example", "hint:"},
		{"otpauth://totp/alice" + q + "&issuer=%", "percent"},
		{"otpauth://totp/alice" + q + " junk", "space"},
		{"otpauth://totp/alice" + q + "\njunk", "space"},
		{"otpauth://totp/ali\u00e7e" + q, "ASCII"},
		{"otpauth://totp/%zz" + q, "not a URI"},
	} {
		u := newUser(t, 1)
		e := u.enrolment(kindTOTP)
		e.Seed = factor.Secret(c.seed)
		_, err := u.f.Enroll(e)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v, want %q", c.seed, err, c.says)
		}
		if err != nil && strings.Contains(strings.ToUpper(err.Error()), rfcBase32[:16]) {
			t.Errorf("%q: the error has the secret: %v", c.seed, err)
		}
	}
}

func TestSeedIsKept(t *testing.T) {
	u := newUser(t, 1)
	e := u.enrolment(kindHOTP)
	e.Seed = factor.Secret("otpauth://hotp/x?secret=" + rfcBase32 + "&algorithm=sha512&digits=8&counter=41")
	e.Options = map[string]string{"counter": "41", "look-ahead": "4"}
	shown := u.enroll(e)
	tok := u.token("hotp-1")
	if string(tok.Secret) != rfcSecret || tok.Algorithm != "SHA512" || tok.Digits != 8 || tok.HOTP.Next != 41 || tok.HOTP.LookAhead != 4 {
		t.Errorf("kept %+v %+v", tok, tok.HOTP)
	}
	if want := "otpauth://hotp/example.com:alice?algorithm=SHA512&counter=41&digits=8&issuer=example.com&secret=" + rfcBase32; shown.URI != want {
		t.Errorf("shown %s", shown.URI)
	}
	e.Options = map[string]string{"counter": "40"}
	if _, err := u.f.Enroll(e); err == nil || !strings.Contains(err.Error(), `option "counter": the otpauth URI says "41"`) {
		t.Errorf("contradiction: %v", err)
	}
	e = u.enrolment(kindHOTP)
	e.Seed = factor.Secret(rfcBase32)
	if _, err := u.f.Enroll(e); err == nil || !strings.Contains(err.Error(), `enrolled already, as "hotp-1"`) {
		t.Errorf("the same secret again: %v", err)
	}
}

// A seed that is read gives a token whose URI gives the same token.
func FuzzSeed(f *testing.F) {
	for _, kind := range []string{kindTOTP, kindHOTP} {
		f.Add(kind, rfcBase32)
		f.Add(kind, "gezd gnbv gy3t qojq gezd gnbv gy======\n")
		f.Add(kind, "otpauth://"+kind+"/Example%20Corp:alice?secret="+rfcBase32+"&issuer=Example%20Corp&algorithm=SHA256&digits=8")
	}
	f.Add(kindTOTP, "otpauth://totp/a?period=60&secret="+rfcBase32)
	f.Add(kindHOTP, "otpauth://hotp/a?counter=60&secret="+rfcBase32)
	read := func(kind, text string) (*token, error) {
		tok, _ := newToken(kind)
		tok.ID, tok.Name = kind+"-1", "x"
		secret, uri, err := parseSeed(kind, factor.Secret(text))
		if err != nil {
			return nil, err
		}
		tok.Secret = secret
		return tok, tok.setAll(uri, nil)
	}
	f.Fuzz(func(t *testing.T, kind, text string) {
		if kind != kindTOTP && kind != kindHOTP {
			return
		}
		tok, err := read(kind, text)
		if err != nil {
			return
		}
		if err := record.Check(tok); err != nil {
			t.Fatalf("%q was read: %v", text, err)
		}
		uri, err := tok.uri("Example & Corp", "alice")
		if err != nil {
			t.Fatal(err)
		}
		again, err := read(kind, uri)
		if err != nil {
			t.Fatalf("%q made %q: %v", text, uri, err)
		}
		a, _ := json.Marshal(tok)
		b, _ := json.Marshal(again)
		if string(a) != string(b) {
			t.Errorf("%s became %s", a, b)
		}
	})
}
