package yubico_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor/yubico/ykval"
	"github.com/factord/factord/daemon/factordtest/yksim"
)

// dropping is a server whose packets can be dropped.
func dropping(s *yksim.Server) *atomic.Bool {
	var on atomic.Bool
	s.Send = func(w http.ResponseWriter, _ *http.Request, body string) {
		if on.Load() {
			panic(http.ErrAbortHandler)
		}
		w.Write([]byte(body))
	}
	return &on
}

// Of two servers that know nothing of each other one tells no counters. Who drops
// packets to the one has an OTP of the other in vain.
func TestMixedServersLogin(t *testing.T) {
	k := yksim.NewKey(alicesID)
	one, two := yksim.NewServer(k), yksim.NewServer(k)
	dropOne, dropTwo := dropping(one), dropping(two)
	d := newDaemon(t, ykval.New(ykval.Config{Deadline: 5 * time.Second, Grace: 5 * time.Second, Servers: []ykval.Server{
		{URL: one.Start(t), ClientID: yksim.ClientID, APIKey: one.APIKey},
		{URL: two.Start(t), ClientID: yksim.ClientID, APIKey: two.APIKey, Uncounted: true},
	}}))
	d.MustEnroll("alice", "yubico", "public-id", alicesID)
	otp := k.Touch()
	dropTwo.Store(true)
	expect(t, d.Login(sudo, otp), "allow factor yubico")
	two.Forget()
	dropTwo.Store(false)
	dropOne.Store(true)
	expect(t, d.Login(sudo, otp), "deny replayed")
	expect(t, d.Login(sudo, k.Touch()), "deny unavailable")
	dropOne.Store(false)
	expect(t, d.Login(sudo, k.Touch()), "allow factor yubico")
}

// Who listens in a server's place gets OTPs that are spent here, and the person touches
// again. It costs them nothing.
func TestOTPSentIntoAnOutage(t *testing.T) {
	k := yksim.NewKey(alicesID)
	s := yksim.NewServer(k)
	c := clientOf(t, s)
	d := newDaemon(t, c)
	d.MustEnroll("alice", "yubico", "public-id", alicesID)
	d.MustEnroll("alice", "totp")
	drop := dropping(s)
	drop.Store(true)
	for range 20 {
		expect(t, d.Login(sudo, k.Touch()), "deny unavailable")
	}
	caught := k.Touch()
	expect(t, d.Login(sudo, caught), "deny unavailable")
	drop.Store(false)
	s.Forget()                                        // they were never there
	expect(t, d.Login(sudo, "000000"), "deny denied") // and not "rate-limited"
	expect(t, d.Login(sudo, caught), "deny replayed")
	expect(t, d.Login(sudo, k.Touch()), "allow factor yubico")
}

// What a client of servers makes of an outage fills no audit record.
func TestLongErrorIsCutInTheAudit(t *testing.T) {
	d := newDaemon(t, outOfOrder{fmt.Errorf("asking: %s", strings.Repeat("long ", 12000))})
	d.MustEnroll("alice", "yubico", "public-id", alicesID)
	expect(t, d.Login(sudo, yksim.NewKey(alicesID).Touch()), "deny unavailable")
	if audit := d.MustCall("AUDIT"); !strings.Contains(audit, "asking: long") || len(audit) > 3000 {
		t.Errorf("%d bytes of audit: %.200s", len(audit), audit)
	}
}

type outOfOrder struct{ err error }

func (s outOfOrder) Verify(context.Context, string) (ykval.Answer, error) {
	return ykval.Answer{}, s.err
}
