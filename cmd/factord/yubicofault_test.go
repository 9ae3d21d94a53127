package main_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pquerna/otp/hotp"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/yksim"
	"github.com/factord/factord/daemon/wire"
)

// manyTries is more wrong answers than lock a user's codes.
const manyTries = 24

// What goes wrong at a validation server never counts against the user, however often
// it does; what the server says of the OTP does. The code of a counting token shows
// which: one that waits would be refused unverified.
func TestYubicoFaultsCostNothing(t *testing.T) {
	factordtest.NeedRoot(t)
	k := yksim.NewKey("dteffujehknh")
	s := yksim.NewServer(k)
	dir := factordtest.OpenDir(t)
	o := withServer(t, dir, s.Start(t), s, "")
	o.Config = strings.Replace(o.Config, `"yubico"`, `"yubico", "totp"`, 1)
	p := factordtest.StartProcess(t, o)
	p.MustEnroll("nobody", "yubico", "public-id", k.PublicID)
	token := p.MustEnroll("nobody", "hotp")
	code := func(n uint64) string {
		text, err := hotp.GenerateCode(token.Secret(), n)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	faults := []func(){
		func() { s.Status = "BACKEND_ERROR" },
		func() { s.Status = "REPLAYED_REQUEST" },
		func() { s.Status = "NO_SUCH_CLIENT" },
		func() { s.Unsigned = true },
		func() { s.SignKey = []byte("somebody else's key.") },
		func() { s.Change = func(a map[string]string) { a["nonce"] = strings.Repeat("0", 32) } },
		func() {
			s.Send = func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusBadGateway) }
		},
		func() {
			s.Send = func(w http.ResponseWriter, _ *http.Request, b string) {
				io.WriteString(w, b+strings.Repeat("\r\n", 1<<19))
			}
		},
	}
	heal := func() { s.Status, s.Unsigned, s.SignKey, s.Change, s.Send = "", false, nil, nil, nil }
	for n := range manyTries {
		faults[n%len(faults)]()
		if v := p.Login(-1, nobody, k.Touch()); v.Allow || v.Reason != wire.ReasonUnavailable {
			t.Errorf("fault %d: %+v", n%len(faults), v)
		}
		heal()
	}
	if v := p.Login(-1, nobody, code(0)); !v.Allow || v.Factor != "totp" {
		t.Errorf("after %d faults of the server: %+v", manyTries, v)
	}
	stranger := yksim.NewKey(k.PublicID)
	for range manyTries {
		if v := p.Login(-1, nobody, stranger.Touch()); v.Allow || v.Reason == wire.ReasonUnavailable {
			t.Errorf("BAD_OTP: %+v", v)
		}
	}
	if v := p.Login(-1, nobody, code(1)); v.Allow {
		t.Errorf("after %d OTPs of another key: %+v", manyTries, v)
	}
	if v := p.Login(-1, nobody, k.Touch()); !v.Allow || v.Factor != "yubico" {
		t.Errorf("an OTP, which can't be guessed, had to wait: %+v", v)
	}
	p.Stop()
}
