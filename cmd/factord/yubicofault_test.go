package main_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

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

// While the servers can't be asked, the person hears so and takes another factor, in
// the same login.
func TestYubicoOutageLeavesTheOthers(t *testing.T) {
	factordtest.NeedRoot(t)
	k := yksim.NewKey("dteffujehknh")
	s := yksim.NewServer(k)
	s.Status = "BACKEND_ERROR"
	o := withServer(t, factordtest.OpenDir(t), s.Start(t), s, "")
	p := factordtest.StartProcess(t, o)
	p.MustEnroll("nobody", "yubico", "public-id", k.PublicID)
	code := p.MustEnroll("nobody", "backup").Codes[0]
	proven := nobody
	proven.First = true
	talk := &factordtest.Talk{Answers: []string{k.Touch(), code}}
	v, err := factordtest.Login(p.Socket, -1, proven, talk)
	if err != nil || !v.Allow || v.Factor != "backup" {
		t.Errorf("%+v, %v", v, err)
	}
	if shown := strings.Join(talk.Shown, "\n"); !strings.Contains(shown, "the validation server for YubiKeys can't be asked") {
		t.Errorf("the person hears %q", shown)
	}
	p.Stop()
}

// With the login ends the question that it put to a server.
func TestYubicoHangUp(t *testing.T) {
	factordtest.NeedRoot(t)
	k := yksim.NewKey("dteffujehknh")
	s := yksim.NewServer(k)
	asked, ended := make(chan struct{}, 1), make(chan struct{})
	s.Send = func(_ http.ResponseWriter, r *http.Request, _ string) {
		asked <- struct{}{}
		<-r.Context().Done()
		close(ended)
	}
	p := factordtest.StartProcess(t, withServer(t, factordtest.OpenDir(t), s.Start(t), s, ""))
	p.MustEnroll("nobody", "yubico", "public-id", k.PublicID)
	c, err := factordtest.Dial(p.Socket, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "AUTH user=nobody service=sudo conv=prompt\nD %s\nEND\n", k.Touch())
	<-asked
	c.Close()
	select {
	case <-ended:
	case <-time.After(5 * time.Second): // less than the time that a server has
		t.Error("the server is asked for somebody who has gone")
	}
	p.Stop()
}
