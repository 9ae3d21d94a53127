package duo

import (
	"errors"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/duo/authapi"
)

// A gateway that gives up (502, 504) says nothing of whether Duo has sent the push.
func TestMayHaveRung(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{&authapi.Error{Kind: authapi.Broken, Status: 502}, true},
		{&authapi.Error{Kind: authapi.Broken, Status: 504}, true},
		{&authapi.Error{Kind: authapi.Broken, Status: 500}, false},
		{&authapi.Error{Kind: authapi.Broken, Status: 504, Remembered: true}, false},
		{&authapi.Error{Kind: authapi.Silent}, true},
		{&authapi.Error{Kind: authapi.Garbled}, true},
		{&authapi.Error{Kind: authapi.Unreachable}, true},
		{&authapi.Error{Kind: authapi.Unreachable, Remembered: true}, false},
		{&authapi.Error{Kind: authapi.Refused, Status: 400}, false},
		{errors.New("anything else"), true},
	} {
		if mayHaveRung(tt.err) != tt.want {
			t.Errorf("%v: %v", tt.err, !tt.want)
		}
	}
}

// What is allowed before a person was asked is no proof, whatever the status says.
func TestSMSProvesNothing(t *testing.T) {
	for accept, want := range map[bool]factor.Outcome{true: factor.Waived, false: factor.Lapsed} {
		a := &asking{f: New(Config{AcceptBypass: accept}), choice: choice{method: authapi.SMS, id: "x"}}
		a.judge(t.Context(), authapi.Verdict{Outcome: authapi.OutcomeAllow, Status: "allow"})
		if a.finding.Outcome != want {
			t.Errorf("accept_bypass %v: %v", accept, a.finding.Outcome)
		}
	}
}

// Whose no a deny is. What rang is denied by the person, in whatever words.
func TestByPerson(t *testing.T) {
	for _, tt := range []struct {
		status, message string
		rang, want      bool
	}{
		{"deny", "Login request denied.", false, true},
		{"deny", "Anmeldung abgelehnt", true, true},
		{"deny", "", false, true},
		{"", "", false, true},
		{"fraud", "Login request reported as fraudulent.", false, true},
		{"deny", "Access from anonymous networks is not allowed.", false, false},
		{"locked_out", "Your account has been locked out", true, false},
		{"anonymous_network", "Anonymous network", true, false},
		{"restricted_os", "", true, false},
		{"timeout", "Login timed out.", true, false},
	} {
		if got := byPerson(authapi.Verdict{Status: tt.status, Message: tt.message}, tt.rang); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
		if byPerson(authapi.Verdict{Outcome: authapi.OutcomeAllow, Status: tt.status}, tt.rang) || byPerson(authapi.Verdict{Outcome: authapi.OutcomeWaiting, Status: tt.status}, tt.rang) {
			t.Errorf("%+v: no deny", tt)
		}
	}
}

// notes are Records that keep nothing else.
type notes struct {
	factor.Records
	value []byte
}

func (n *notes) Note() ([]byte, error)      { return n.value, nil }
func (n *notes) PutNote(value []byte) error { n.value = value; return nil }

// An attempt may be over just after another has asked Duo about those before: its push is
// asked after, too, before the next.
func TestHangUpBetween(t *testing.T) {
	now := time.Now()
	f := New(Config{Now: func() time.Time { return now }})
	rs := &notes{}
	one, two := &asking{f: f, id: "1"}, &asking{f: f, id: "2"}
	if open, err := two.readOpen(rs); open || err != nil {
		t.Fatal(open, err)
	}
	if err := one.admit(rs); err != nil {
		t.Fatal(err)
	}
	one.rang, one.txid = true, "T"
	if _, err := one.settle(rs); err != nil {
		t.Fatal(err)
	}
	var h *factor.Held
	if err := two.admit(rs); !errors.As(err, &h) {
		t.Errorf("admitted: %v", err)
	}
	two.readOpen(rs)
	if err := two.admit(rs); err != nil {
		t.Error(err)
	}
	n, err := noteOf(rs)
	if err != nil || len(n.Open) != 1 || n.Open[0].TxID != "T" || len(n.Unanswered) != 1 {
		t.Errorf("%+v, %v", n, err)
	}
	now = now.Add(unansweredTime)
	if n.age(now); len(n.Open) != 0 {
		t.Errorf("kept for ever: %+v", n)
	}
}
