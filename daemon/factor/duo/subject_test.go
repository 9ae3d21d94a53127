package duo_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor/duo/authapi"
	"github.com/factord/factord/daemon/factordtest/duosim"
)

const fraud = "a push was reported as fraud, so none are sent: type a passcode, and ask your administrator to unlock you"

// Two accounts that are one person at Duo have one telephone: it is spared as one
// person's is, and unlocking either account ends that.
func TestOnePersonTwoAccounts(t *testing.T) {
	for name, names := range map[string]authapi.Names{
		"user_map":    {Map: map[string]string{"bob": "Alice", "alice": "alice"}},
		"user_id_map": {IDs: map[string]string{"bob": "DUSAME", "alice": "DUSAME"}},
		"username":    {Template: "alice"},
	} {
		t.Run(name, func(t *testing.T) {
			users := []duosim.User{alice(func(u *duosim.User) { u.ID = "DUSAME" })}
			if name == "user_map" {
				users = append(users, duosim.User{Name: "Alice", Devices: users[0].Devices})
			}
			s := newSetup(t, options{names: names, sim: duosim.Config{Users: users}})
			for i, again := range []bool{false, true} {
				bob := s.dial("AUTH user=bob service=sshd first=1 rhost=203.0.113.7 conv=info")
				bob.expect("S INFO Push sent to Pixel 5 (XXX-XXX-0123): approve it")
				if got := s.tries("", s.sim.Approve); !strings.HasPrefix(got, "a push of another login of yours is not answered yet") {
					t.Errorf("while bob's pends: %q", got)
				}
				for _, p := range s.sim.Pending("") {
					s.sim.Answer(p.Txid, duosim.Reported)
				}
				bob.expect("S VERDICT deny reason=push-denied rule=any")
				if got := s.tries("", s.sim.Approve); got != fraud {
					t.Errorf("after bob's: %q", got)
				}
				s.MustCall(fmt.Sprintf("UNLOCK user=%s", []string{"alice", "bob"}[i]))
				if got := s.tries("", s.sim.Approve); !again && got != "asked" {
					t.Errorf("unlocked: %q", got)
				}
			}
		})
	}
}
