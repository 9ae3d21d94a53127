package session_test

import (
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factordtest"
)

func explained(t *testing.T, d *factordtest.Daemon, uid int) string {
	t.Helper()
	data, err := factordtest.Call(d.Socket, uid, "EXPLAIN user=alice service=sshd")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(data, "")
}

// What somebody outside keeps is not said to be missing while they were not asked.
func TestNotKnownWhetherEnrolled(t *testing.T) {
	needRoot(t)
	const takes, other = "[[rule]]\nfactors=[\"touch\"]\n", "[[rule]]\nfactors=[\"totp\"]\n"
	away := &factor.Outage{Text: "it is away", Err: factor.ErrUnavailable}
	for name, c := range map[string]struct {
		phone *phone
		rule  string
		uid   int
		want  string
	}{
		"asked":             {newPhone(), takes, -1, `"enrolled":true`},
		"away":              {&phone{offer: away}, takes, -1, `"enrolled":null`},
		"not root's to ask": {newPhone(), takes, aliceUID, `"enrolled":null`},
		"not in the rule":   {newPhone(), other, -1, `"enrolled":null`},
		"no such factor":    {nil, other, -1, `"enrolled":false`},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDaemon(t, c.rule)
			if c.phone != nil {
				d = phoneDaemon(t, c.phone, c.rule)
			}
			if got := explained(t, d, c.uid); !strings.Contains(got, c.want) {
				t.Errorf("%s, want %s", got, c.want)
			}
			d.MustEnroll("alice", "totp")
			if got := explained(t, d, c.uid); !strings.Contains(got, `"enrolled":true`) {
				t.Errorf("with a token here: %s", got)
			}
			want := `"elsewhere":[]`
			if c.phone != nil {
				want = `"elsewhere":["touch"]`
			}
			if got := d.MustCall("REMOVE user=alice id=totp-1"); !strings.Contains(got, `"left":0`) || !strings.Contains(got, want) {
				t.Errorf("removed: %s, want %s", got, want)
			}
		})
	}
}
