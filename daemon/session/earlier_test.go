package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// What can go wrong while it is found out what became of an earlier question: nobody is
// asked another then. A no that another attempt has booked does not stop it.
func TestEarlier(t *testing.T) {
	hears := func(denied bool) func(context.Context) bool { return func(context.Context) bool { return denied } }
	settles := func(f factor.Finding, err error) func(factor.Records) (factor.Finding, error) {
		return func(rs factor.Records) (factor.Finding, error) {
			rs.PutNote([]byte("heard"))
			return f, err
		}
	}
	is := func(open bool, err error) func(factor.Records) (bool, error) {
		return func(factor.Records) (bool, error) { return open, err }
	}
	settled := errors.New("settled in vain")
	for name, c := range map[string]struct {
		earlier factor.Earlier
		want    wire.Reason // ReasonNone: the next is asked
		log     string      // in the audit records
	}{
		"nothing open":    {earlier: factor.Earlier{Open: is(false, nil)}},
		"no answer":       {earlier: factor.Earlier{Open: is(true, nil), Ask: hears(false)}},
		"damaged":         {earlier: factor.Earlier{Open: is(true, errors.New("damaged"))}, want: wire.ReasonInternal},
		"asking panics":   {earlier: factor.Earlier{Open: is(true, nil), Ask: func(context.Context) bool { panic("x") }}, want: wire.ReasonInternal},
		"not booked":      {earlier: factor.Earlier{Open: is(true, nil), Ask: hears(true), Settle: settles(factor.Finding{}, settled)}, want: wire.ReasonInternal},
		"booked by other": {earlier: factor.Earlier{Open: is(true, nil), Ask: hears(true), Settle: settles(factor.Finding{Outcome: factor.Lapsed, Log: "nothing"}, nil)}},
		"booked":          {earlier: factor.Earlier{Open: is(true, nil), Ask: hears(true), Settle: settles(factor.Finding{Outcome: factor.Denied, Log: "said no before"}, nil)}, log: "said no before"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPhone()
			p.earlier = &c.earlier
			d := phoneDaemon(t, p, phoneRule)
			p.answer <- factor.Proven
			v, err := factordtest.Converse(d.Socket, -1, wire.Auth{User: "alice", Service: "sshd", First: true, Conv: wire.ConvInfo}, &factordtest.Talk{})
			if err != nil || v.Allow != (c.want == wire.ReasonNone) || !v.Allow && v.Reason != c.want {
				t.Errorf("%+v, %v", v, err)
			}
			if (len(p.asked) == 0) == v.Allow {
				t.Errorf("asked %d times", len(p.asked))
			}
			audit := d.MustCall("AUDIT last=100")
			if !strings.Contains(audit, c.log) || strings.Contains(audit, "nothing") {
				t.Error(audit)
			}
		})
	}
}
