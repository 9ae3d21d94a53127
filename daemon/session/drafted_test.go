package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factordtest"
)

// drafted is a factor of a key whose enrolment ends with an error.
type drafted struct {
	*plugged
	begin, check error
}

func (d *drafted) Enroll(factor.Enrolment) (factor.Draft, error) {
	draft := factor.Draft{ID: "touch-1", Ask: "Press Enter: ",
		Check: func(context.Context, func(string), factor.Secret) error { return d.check }}
	if d.begin != nil {
		draft.Begin = func(context.Context, func(string)) (any, error) { return nil, d.begin }
	}
	return draft, nil
}

// Who knows U2F finds its successor.
func TestEnrolU2F(t *testing.T) {
	d := factordtest.NewDaemon(t, factordtest.Options{Config: phoneRule, Factors: []factor.Factor{&security{newPlugged()}}})
	if _, err := factordtest.Call(d.Socket, -1, "ENROLL factor=u2f"); err == nil || !strings.Contains(err.Error(), "\nhint: a security key of U2F is a fido2") {
		t.Error(err)
	}
}

// security is a factor of security keys.
type security struct{ *plugged }

func (*security) Kinds() []string { return []string{"fido2"} }

// Who enrols hears what is meant for people, whoever they are; others than root don't hear
// what went wrong inside.
func TestErrorsOfDrafts(t *testing.T) {
	needRoot(t)
	no := factor.Refusef("no key is plugged in\nhint: plug one in")
	inside := errors.New("opening /var/lib/secret: no")
	for name, c := range map[string]struct {
		drafted drafted
		user    string
		root    string
	}{
		"begin refuses": {drafted{begin: no}, "no key is plugged in\nhint: plug one in", "no key is plugged in\nhint: plug one in"},
		"check refuses": {drafted{check: no}, "no key is plugged in\nhint: plug one in", "no key is plugged in\nhint: plug one in"},
		"a lapse":       {drafted{begin: &factor.Lapse{Text: "it was not touched", Err: inside}}, "it was not touched", "it was not touched"},
		"an outage": {drafted{begin: &factor.Outage{Text: "keys can't be asked", Advice: "ask somebody", Err: errors.New("no /run/x\nhint: systemctl start x")}},
			"keys can't be asked: ask somebody", "keys can't be asked: no /run/x\nhint: systemctl start x"},
		"begin fails": {drafted{begin: inside}, "ENROLL failed: internal", "ENROLL: opening /var/lib/secret: no"},
		"check fails": {drafted{check: inside}, "ENROLL failed: internal", "ENROLL: opening /var/lib/secret: no"},
	} {
		t.Run(name, func(t *testing.T) {
			c.drafted.plugged = newPlugged()
			d := factordtest.NewDaemon(t, factordtest.Options{Config: phoneRule, Factors: []factor.Factor{&c.drafted}, Places: factordtest.Places(atSeat)})
			if _, err := factordtest.Call(d.Socket, -1, "ENROLL factor=touch user=alice", ""); err == nil || !strings.HasSuffix(err.Error(), c.root) {
				t.Errorf("root hears %v, want %q", err, c.root)
			}
			code := field(d.MustCall("INVITE user=alice"), "code")
			if _, err := factordtest.Call(d.Socket, aliceUID, "ENROLL factor=touch", code, ""); err == nil || !strings.HasSuffix(err.Error(), c.user) {
				t.Errorf("alice hears %v, want %q", err, c.user)
			}
		})
	}
}
