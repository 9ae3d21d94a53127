package pam_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/pam/pamtest"
)

// phoneName is the one device of the person.
const phoneName = "Pixel 5"

// Passcodes that Duo takes once, long and strange enough to be found in a log.
var duoPasscodes = []string{"8172635", "7461529", "6052918"}

// duoRule asks whoever comes, and is not told what to do when Duo is not there.
const duoRule = `
[[rule]]
name = "any"
factors = ["duo", "totp", "backup"]
callers = ["root", "user"]
`

// duoLab is a factord, a Duo of the test's own, and a person with a phone.
type duoLab struct {
	*lab
	sim     *duosim.Server
	secrets []string // what must be in no log, beside skey and duoPasscodes
}

// duoOptions of a duoLab. The zero value is a good start.
type duoOptions struct {
	sim   duosim.Config
	more  string // lines of [duo]
	rules string // instead of duoRule
	wrap  []string
	host  string // instead of the simulator's
}

func newDuoLab(t *testing.T, o duoOptions) *duoLab {
	t.Helper()
	factordtest.NeedRoot(t)
	return newDuoLabFor(t, o, pamtest.NewAccount(t, "Correct-horse-7"))
}

func newDuoLabFor(t *testing.T, o duoOptions, who pamtest.Account) *duoLab {
	t.Helper()
	o.sim.Users = append(o.sim.Users, person(who.Name))
	l := &duoLab{sim: duosim.Start(t, o.sim)}
	if o.rules == "" {
		o.rules = duoRule
	}
	if o.host == "" {
		o.host = l.sim.Host()
	}
	l.lab = &lab{t: t, who: who, Process: factordtest.StartProcess(t, factordtest.ProcessOptions{Wrap: o.wrap,
		Config: "[totp]\nwindow = 10\n" + duoConfig(l.sim, o.host, o.more) + o.rules})}
	l.secrets = []string{l.sim.SKey()}
	t.Cleanup(l.discreet) // before factord ends
	return l
}

// duoConfig is [duo] for a simulator that is at host.
func duoConfig(sim *duosim.Server, host, more string) string {
	return fmt.Sprintf("[duo]\nikey = %q\nskey = %q\nhost = %q\nca_file = %q\n%s\n", sim.IKey(), sim.SKey(), host, sim.CAFile(), more)
}

// person is somebody with a phone, and passcodes.
func person(name string) duosim.User {
	return duosim.User{Name: name, Devices: []duosim.Device{duosim.Phone(phoneName, "+15555550100")}, Passcodes: duoPasscodes}
}

// discreet fails the test if a secret is in what somebody has written down: the
// secret key, passcodes, and what else the test adds. Every test with Duo ends with
// it.
func (l *duoLab) discreet() {
	written := map[string]string{"factord's log": l.Log()}
	if l.Running() {
		records, err := json.Marshal(l.MustCall(wire.Command(wire.VerbAudit, "last", "10000")))
		if err != nil {
			l.t.Error(err)
		}
		written["audit"] = string(records)
	}
	l.without(written)
}

func (l *duoLab) without(written map[string]string) {
	l.t.Helper()
	for where, secret := range found(written, append(l.secrets, duoPasscodes...)) {
		l.t.Errorf("%q is in %s", secret, where)
	}
}

// discreetIn has the log of another program looked at in the end too.
func (l *duoLab) discreetIn(file string) {
	l.t.Cleanup(func() {
		text, err := os.ReadFile(file)
		if err != nil || len(text) == 0 {
			l.t.Errorf("%s: it is empty, or %v", file, err)
		}
		l.without(map[string]string{file: string(text)})
	})
}

// found says which text has which secret.
func found(written map[string]string, secrets []string) map[string]string {
	all := map[string]string{}
	for where, text := range written {
		for _, secret := range secrets {
			if secret != "" && strings.Contains(text, secret) {
				all[where] = secret
			}
		}
	}
	return all
}

// pushed waits for the push that the person gets next.
func (l *duoLab) pushed() duosim.Push {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	p, err := l.sim.NextPush(ctx, l.who.Name)
	if err != nil {
		l.t.Fatalf("%v\n%s", err, l.Log())
	}
	return p
}

// polled waits until factord waits for what becomes of a push.
func (l *duoLab) polled() {
	l.t.Helper()
	pamtest.Await(l.t, "factord's question what becomes of the push", 20*time.Second, func() bool { return l.sim.Waiting() > 0 })
}

// answers is what the person does with the push.
func (l *duoLab) answers(a duosim.Answer) {
	l.t.Helper()
	for _, p := range l.sim.Pending(l.who.Name) {
		if err := l.sim.Answer(p.Txid, a); err != nil {
			l.t.Fatal(err)
		}
	}
}

// stopsPolling fails the test unless factord has hung up at Duo soon after begun.
func (l *duoLab) stopsPolling(begun time.Time) time.Duration {
	l.t.Helper()
	pamtest.Await(l.t, "the end of factord's waiting", 10*time.Second, func() bool { return l.sim.Waiting() == 0 })
	return time.Since(begun)
}
