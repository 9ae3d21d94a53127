package session_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// records is how many audit records a user has.
func records(d *factordtest.Daemon, user string) int {
	return strings.Count(d.MustCall("AUDIT user="+user+" last=10000"), `{"seq":`)
}

// What a user can do as often as they like must not push others' records out of
// the ring.
func TestUsersCannotFloodTheRing(t *testing.T) {
	const most = 60 // of a uid in a minute
	const rules = "[[rule]]\nname = \"scp\"\nservices = [\"scp\"]\ncallers = [\"user\"]\nmode = \"exempt\"\n" + factordtest.AnyRule
	for name, flood := range map[string]func(t *testing.T, d *factordtest.Daemon){
		"forget": func(t *testing.T, d *factordtest.Daemon) {
			for range 200 {
				if data, err := factordtest.Call(d.Socket, 1002, "FORGET"); err != nil || !strings.Contains(data[0], `"forgot":0`) {
					t.Fatalf("%q, %v", data, err)
				}
			}
		},
		"logins that nobody is asked in": func(t *testing.T, d *factordtest.Daemon) {
			for n := range 200 {
				v := d.LoginAs(1002, wire.Auth{Service: "scp"})
				if n < most && !v.Allow || n >= most && v.Reason != wire.ReasonRateLimited {
					t.Fatalf("login %d: %+v", n, v)
				}
			}
			if v := d.LoginAs(1001, wire.Auth{Service: "scp"}); !v.Allow {
				t.Errorf("alice, who is not flooding: %+v", v)
			}
		},
		"new backup codes": func(t *testing.T, d *factordtest.Daemon) {
			codes := d.MustEnroll("bob", "backup").Codes
			for range 200 {
				data, err := factordtest.Call(d.Socket, 1002, "ENROLL factor=backup", codes[0])
				if err != nil {
					return
				}
				var tok factordtest.Token
				if err := json.Unmarshal([]byte(data[0]), &tok); err != nil {
					t.Fatal(err)
				}
				codes = tok.Codes
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDaemon(t, rules)
			flood(t, d)
			if n := records(d, "bob"); n > most+1 {
				t.Errorf("%d records", n)
			}
		})
	}
}
