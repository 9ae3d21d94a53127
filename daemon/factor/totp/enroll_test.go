package totp

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
)

func (u *user) enrolment(kind string) factor.Enrolment {
	list, _ := u.rs.List()
	return factor.Enrolment{User: "alice", Kind: kind, Existing: list, Now: u.now}
}

// enroll commits without a first code.
func (u *user) enroll(e factor.Enrolment) Shown {
	u.t.Helper()
	d, err := u.f.Enroll(e)
	if err != nil {
		u.t.Fatal(err)
	}
	if err := d.Commit(u.rs, nil, u.now); err != nil {
		u.t.Fatal(err)
	}
	return d.Show.(Shown)
}

func TestEnrollDefaults(t *testing.T) {
	u := newUser(t, 1)
	u.f.rand = bytes.NewReader([]byte(rfcSecret + other(2)))
	shown := u.enroll(u.enrolment(kindTOTP))
	text, err := json.Marshal(shown)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"totp-1","factor":"totp","name":"totp-1","uri":"otpauth://totp/example.com:alice?algorithm=SHA1\u0026digits=6\u0026issuer=example.com\u0026period=30\u0026secret=` + rfcBase32 + `"}`
	if string(text) != want {
		t.Errorf("shown %s\nwant  %s", text, want)
	}
	if tok := u.token("totp-1"); string(tok.Secret) != rfcSecret || tok.TOTP.Floor != noStep || !tok.Used.IsZero() || !tok.Created.Equal(u.now) {
		t.Errorf("kept %+v", tok)
	}
	shown = u.enroll(u.enrolment(kindHOTP))
	if shown.ID != "hotp-2" || shown.Factor != "hotp" || shown.Name != "hotp-2" || !strings.Contains(shown.URI, "&counter=0") {
		t.Errorf("shown %+v", shown)
	}
	if tok := u.token("hotp-2"); tok.HOTP.Next != 0 || tok.HOTP.LookAhead != 10 || tok.Digits != 6 || tok.Algorithm != "SHA1" {
		t.Errorf("kept %+v", tok)
	}
	u.f.rand = bytes.NewReader(nil)
	if _, err := u.f.Enroll(u.enrolment(kindTOTP)); err == nil {
		t.Error("made a secret of nothing")
	}
	u.f.rand = New(Config{}).rand
	if a, b := u.enroll(u.enrolment(kindTOTP)), u.enroll(u.enrolment(kindTOTP)); a.URI == b.URI {
		t.Error("two secrets are the same")
	}
}

func TestNumbersGoUp(t *testing.T) {
	u := newUser(t, 1)
	u.timed("totp-7", rfcSecret)
	if id := u.enroll(u.enrolment(kindHOTP)).ID; id != "hotp-8" {
		t.Errorf("id %q", id)
	}
	u.rs.Delete("totp-7")
	if id := u.enroll(u.enrolment(kindTOTP)).ID; id != "totp-9" {
		t.Errorf("id %q", id)
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		kind, key, value string
		says             string // part of the error; empty: fine
	}{
		{kindTOTP, "algorithm", "sha1", ""}, {kindTOTP, "algorithm", "SHA-256", ""}, {kindHOTP, "algorithm", "sha512", ""},
		{kindTOTP, "algorithm", "md5", `"algorithm": "md5" is not SHA1`}, {kindTOTP, "algorithm", "", `"algorithm"`},
		{kindTOTP, "digits", "6", ""}, {kindHOTP, "digits", "8", ""},
		{kindTOTP, "digits", "5", `"digits": "5" is not a number from 6 to 8`}, {kindTOTP, "digits", "9", `"digits"`}, {kindTOTP, "digits", "six", `"digits"`},
		{kindTOTP, "period", "15", ""}, {kindTOTP, "period", "120", ""},
		{kindTOTP, "period", "14", `"period"`}, {kindTOTP, "period", "121", `"period"`}, {kindTOTP, "period", "-30", `"period"`},
		{kindHOTP, "period", "30", `"period": a hotp token has none`},
		{kindHOTP, "look-ahead", "0", ""}, {kindHOTP, "look-ahead", "100", ""}, {kindHOTP, "look-ahead", "101", `"look-ahead"`},
		{kindTOTP, "look-ahead", "10", `"look-ahead": a totp token has none`},
		{kindHOTP, "counter", "18446744073709551614", ""}, {kindHOTP, "counter", "18446744073709551615", `"counter"`},
		{kindHOTP, "counter", "18446744073709551616", `"counter"`}, {kindHOTP, "counter", "-1", `"counter"`}, {kindTOTP, "counter", "0", `"counter"`},
		{kindHOTP, "prefix", "UBHE00123456", ""}, {kindHOTP, "prefix", "", `"prefix"`}, {kindHOTP, "prefix", "a b", `"prefix"`},
		{kindHOTP, "prefix", strings.Repeat("a", 33), `"prefix"`}, {kindHOTP, "prefix", "ÿ", `"prefix"`}, {kindTOTP, "prefix", "ub", `"prefix"`},
		{kindTOTP, "slot", "1", `"slot": unknown`}, {kindTOTP, "", "", `"": unknown`}, {kindTOTP, "secret", "x", `"secret": unknown`},
	} {
		u := newUser(t, 1)
		e := u.enrolment(c.kind)
		e.Options = map[string]string{c.key: c.value}
		_, err := u.f.Enroll(e)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %s=%s: %v, want %q", c.kind, c.key, c.value, err, c.says)
		}
	}
	u := newUser(t, 1)
	e := u.enrolment(kindHOTP)
	e.Options = map[string]string{"algorithm": "sha-512", "digits": "8", "look-ahead": "3", "counter": "9", "prefix": "UB"}
	u.enroll(e)
	if tok := u.token("hotp-1"); tok.Algorithm != "SHA512" || tok.Digits != 8 || *tok.HOTP != (counter{Next: 9, LookAhead: 3, Prefix: "ub"}) {
		t.Errorf("kept %+v %+v", tok, tok.HOTP)
	}
}

func TestKinds(t *testing.T) {
	u := newUser(t, 1)
	for _, kind := range []string{"", "TOTP", "backup", "totp "} {
		if _, err := u.f.Enroll(u.enrolment(kind)); err == nil {
			t.Errorf("enrolled a %q", kind)
		}
	}
}

func TestNames(t *testing.T) {
	u := newUser(t, 1)
	e := u.enrolment(kindTOTP)
	e.Name = "Phone"
	u.enroll(e)
	for name, good := range map[string]bool{
		"": true, "work phone": true, "Älterer Schlüssel": true, strings.Repeat("n", 64): true,
		strings.Repeat("n", 65): false, strings.Repeat("ü", 33): false, "a\nb": false, "\x1b[2J": false, "a\u202eb": false,
		" a": false, "a ": false, "\xff": false, "Phone": false, "phone": false, "a\u00a0b": false,
	} {
		e := u.enrolment(kindTOTP)
		e.Name = name
		if _, err := u.f.Enroll(e); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestFiveTokens(t *testing.T) {
	u := newUser(t, 1)
	for range 2 {
		u.enroll(u.enrolment(kindTOTP))
		u.enroll(u.enrolment(kindHOTP))
	}
	fifth, err5 := u.f.Enroll(u.enrolment(kindTOTP))
	sixth, err6 := u.f.Enroll(factor.Enrolment{User: "alice", Kind: kindTOTP, Name: "other", Existing: nil})
	if err := errors.Join(err5, err6); err != nil {
		t.Fatal(err)
	}
	if err := fifth.Commit(u.rs, nil, u.now); err != nil {
		t.Fatal(err)
	}
	if err := sixth.Commit(u.rs, nil, u.now); !errors.Is(err, factor.ErrFull) {
		t.Errorf("committing a sixth: %v", err)
	}
	if _, err := u.f.Enroll(u.enrolment(kindHOTP)); !errors.Is(err, factor.ErrFull) {
		t.Errorf("enrolling a sixth: %v", err)
	}
}

// What came between Enroll and Commit is seen by Commit.
func TestCommitLooksAgain(t *testing.T) {
	for _, between := range []string{"number", "name", "secret", "junk"} {
		u := newUser(t, 1)
		u.f.rand = bytes.NewReader([]byte(rfcSecret))
		e := u.enrolment(kindTOTP)
		e.Name = "phone"
		d, err := u.f.Enroll(e)
		if err != nil {
			t.Fatal(err)
		}
		switch between {
		case "number":
			u.counted("hotp-1", other(1), 0)
		case "name":
			tok := u.counted("hotp-2", other(1), 0)
			tok.Name = "PHONE"
			u.keep(tok)
		case "secret":
			u.timed("totp-2", rfcSecret)
		case "junk":
			u.rs.Put("totp-2", []byte("junk"))
		}
		if err := d.Commit(u.rs, nil, u.now); err == nil || len(u.rs.Values) != 1 {
			t.Errorf("%s: committed (%v)", between, err)
		}
	}
}

func TestFirstCode(t *testing.T) {
	u := newUser(t, 1)
	u.f.rand = bytes.NewReader([]byte(rfcSecret))
	d, err := u.f.Enroll(u.enrolment(kindTOTP))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(d.Ask, ": ") {
		t.Errorf("question %q", d.Ask)
	}
	for _, wrong := range []string{"", "000000", "12345", "x", reference(rfcSecret, u.step()+3), reference(rfcSecret, u.step()-3)} {
		err := d.Commit(u.rs, factor.Secret(wrong), u.now)
		if !errors.Is(err, factor.ErrFirstCode) || len(u.rs.Values) != 0 {
			t.Errorf("first code %q: %v", wrong, err)
		}
	}
	code := reference(rfcSecret, u.step()-2)
	if err := d.Commit(u.rs, factor.Secret(code[:3]+" "+code[3:]), u.now); err != nil {
		t.Fatal(err)
	}
	tok := u.token("totp-1")
	if tok.TOTP.Floor != u.step()-2 || tok.TOTP.drift() != -2 || !tok.Used.IsZero() {
		t.Errorf("kept %+v", tok.TOTP)
	}
	u.want(code, factor.Replayed)
	u.want(reference(rfcSecret, u.step()-3), factor.Replayed)
	u.want(reference(rfcSecret, u.step()-1), factor.Proven)
	if err := d.Commit(u.rs, factor.Secret(code), u.now); err == nil {
		t.Error("committed twice")
	}
}

// The code that confirms is spent at all steps where it stands.
func TestFirstCodeCollision(t *testing.T) {
	u := newUser(t, 1)
	u.now = stepTime(56188870)
	e := u.enrolment(kindTOTP)
	e.Seed = factor.Secret(rfcBase32)
	d, err := u.f.Enroll(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(u.rs, factor.Secret("617002"), u.now); err != nil {
		t.Fatal(err)
	}
	u.want("617002", factor.Replayed)
	u.now = stepTime(56188871)
	u.want("617002", factor.Replayed)
}

func TestFirstCodeOfCounter(t *testing.T) {
	u := newUser(t, 1)
	e := u.enrolment(kindHOTP)
	e.Seed = factor.Secret(rfcBase32)
	e.Options = map[string]string{"counter": "2", "look-ahead": "3", "prefix": "ubhe1"}
	d, err := u.f.Enroll(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"287082", "287922", "ubhe2969429", "969 4299"} {
		if err := d.Commit(u.rs, factor.Secret(wrong), u.now); !errors.Is(err, factor.ErrFirstCode) {
			t.Errorf("first code %q: %v", wrong, err)
		}
	}
	if err := d.Commit(u.rs, factor.Secret("ubhe1969429"), u.now); err != nil { // counter 3
		t.Fatal(err)
	}
	if next := u.token("hotp-1").HOTP.Next; next != 4 {
		t.Errorf("counter %d", next)
	}
	u.want("969429", factor.Replayed)
	u.want("338314", factor.Proven)
}

// A commit that failed has spent nothing: the transaction is gone.
func TestCommitAgain(t *testing.T) {
	for _, kind := range []string{kindTOTP, kindHOTP} {
		u := newUser(t, 1)
		e := u.enrolment(kind)
		e.Seed = factor.Secret(rfcBase32)
		d, err := u.f.Enroll(e)
		if err != nil {
			t.Fatal(err)
		}
		code := map[string]string{kindTOTP: reference(rfcSecret, u.step()), kindHOTP: "755224"}[kind]
		full := errors.New("disk full")
		if err := d.Commit(failing{Memory: u.rs, put: full}, factor.Secret(code), u.now); !errors.Is(err, full) {
			t.Errorf("%s: %v", kind, err)
		}
		if err := d.Commit(u.rs, factor.Secret(code), u.now); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
