package duo

import (
	"errors"
	"testing"

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
