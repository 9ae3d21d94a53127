package duo

import (
	"errors"
	"testing"

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
