package pam_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/pam/pamtest"
)

// debianPatience is how long login_duo is waited for: it tries a silent connection
// three times, 22 s in all.
const debianPatience = 26 * time.Second

// Every way in which Duo is not there, for Debian's login_duo and for factord, all at
// the same time; the table of what was seen is in the log. None lets in but by a rule
// that says so in words, and none takes longer than the deadline and a second.
func TestDuoFaults(t *testing.T) {
	t.Parallel()
	rows := make([]faultRow, len(duoFaults))
	var all sync.WaitGroup
	for i := range duoFaults {
		c, row := &duoFaults[i], &rows[i]
		for mode, seen := range map[string]*string{"safe": &row.safe, "secure": &row.secure} {
			login := c.loginDuo(t, mode)
			all.Go(func() { *seen = c.debianCase(t, mode, login) })
		}
	}
	for i := range duoFaults {
		c, row := &duoFaults[i], &rows[i]
		l := c.newLab(t)
		code := l.code()
		all.Go(func() { c.factordCase(t, l, code, row) })
	}
	all.Wait()
	form := "%-28s | %-18s %-18s | %-26s %-7s %-26s %s\n"
	table := fmt.Sprintf(form, "", "login_duo, safe", "secure", "factord", "again", "unavailable = allow", "with a token: asked after, then")
	for i, r := range rows {
		table += fmt.Sprintf(form, duoFaults[i].name, r.safe, r.secure, r.strict, r.again, r.lenient, r.fallback)
	}
	t.Logf("outcome, and time to it\n%s", table)
}

// faultRow is what was seen of one fault.
type faultRow struct{ safe, secure, strict, again, lenient, fallback string }

func (c *duoFault) set(t *testing.T, sim *duosim.Server) {
	t.Helper()
	if c.prepare != nil {
		c.prepare(sim)
	}
	if c.fault != "" {
		if err := sim.Fault(c.fault, c.endpoint, c.times); err != nil {
			t.Fatal(err)
		}
	}
}

// loginDuo prepares Debian's login_duo.
func (c *duoFault) loginDuo(t *testing.T, failmode string) []string {
	t.Helper()
	factordtest.NeedRoot(t)
	login := factordtest.NeedProgram(t, "login_duo")
	// It reads the certificate without root's rights.
	sim := duosim.Start(t, duosim.Config{Dir: factordtest.OpenDir(t), Answer: duosim.Approved, Users: []duosim.User{person("alice")}})
	host := c.host
	if host == "" {
		host = sim.Host()
	}
	file := filepath.Join(t.TempDir(), "duo.conf")
	text := fmt.Sprintf("[duo]\nikey = %s\nskey = %s\nhost = %s\ncafile = %s\nfailmode = %s\n", sim.IKey(), sim.SKey(), host, sim.CAFile(), failmode)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.set(t, sim)
	return append(append([]string{}, c.wrap...), login, "-d", "-c", file, "-f", "alice", "echo", "let", "in")
}

// debianCase is what login_duo does, and how soon; a hung one is given up.
func (c *duoFault) debianCase(t *testing.T, mode string, argv []string) string {
	ctx, cancel := context.WithTimeout(context.Background(), debianPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = time.Second
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	took, hung := time.Since(begun), ctx.Err() != nil
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !hung {
		t.Errorf("%s: %q: %v", c.name, argv, err)
	}
	in := strings.Contains(string(out), "let in\n")
	if want := map[string]bool{"safe": c.debian.safe, "secure": c.debian.secure}[mode]; in != want {
		t.Errorf("%s: login_duo, %s, lets in: %v, want %v\n%s", c.name, mode, in, want, out)
	}
	if slow := took > 5*time.Second; hung != c.debian.hangs || slow != (c.debian.slow || c.debian.hangs) {
		t.Errorf("%s: login_duo, %s, takes %v", c.name, mode, took)
	}
	if hung {
		return "hangs"
	}
	return fmt.Sprintf("%s, %s", map[bool]string{true: "LETS IN", false: "refuses"}[in], brief(took))
}

func brief(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// Two rules, and two of the machine's accounts: the second has a TOTP token too.
const (
	faultRules = `
[[rule]]
name = "lenient"
services = ["lenient"]
factors = ["duo", "totp", "backup"]
unavailable = "allow"
` + duoRule
	withoutToken, withToken = "daemon", "bin"
)

func (c *duoFault) newLab(t *testing.T) *duoLab {
	t.Helper()
	if c.more == "" {
		c.more = shortPatience
	}
	l := newDuoLabFor(t, duoOptions{more: c.more, wrap: c.wrap, host: c.host, rules: faultRules,
		sim: duosim.Config{Answer: duosim.Approved, Users: []duosim.User{person(withToken)}}}, pamtest.Account{Name: withoutToken})
	l.token = l.MustEnroll(withToken, "totp")
	l.codes = oathTOTP(t, l.token, time.Now().Add(-8*period), 16)
	c.set(t, l.sim)
	return l
}

// factordCase is what factord does to somebody with nothing but Duo, twice; then under
// a lenient rule; then to somebody who has another factor.
func (c *duoFault) factordCase(t *testing.T, l *duoLab, code string, row *faultRow) {
	login := func(service string) (wire.Verdict, time.Duration) {
		begun := time.Now()
		v, err := factordtest.Converse(l.Socket, -1, wire.Auth{User: withoutToken, Service: service, First: true, Conv: wire.ConvInfo}, &factordtest.Talk{})
		took := time.Since(begun)
		if limit := shortDeadline + time.Second; err != nil || took > limit && c.reason != wire.ReasonNone {
			t.Errorf("%s: %s: %v, more than %v, or %v", c.name, service, took, limit, err)
		}
		return v, took
	}
	v, took := login("strict")
	row.strict = inWords(v) + ", " + brief(took)
	if v.Allow != (c.reason == wire.ReasonNone) || v.Reason != c.reason || v.Allow && v.Basis != wire.BasisFactor {
		t.Errorf("%s: %+v, want %v", c.name, v, c.reason)
	}
	for begun := time.Now(); !strings.Contains(l.Log(), c.log); time.Sleep(5 * time.Millisecond) { // it is written behind the verdict
		if time.Since(begun) > 5*time.Second {
			t.Errorf("%s: the log does not say %q:\n%s", c.name, c.log, l.Log())
			break
		}
	}
	if c.reason == wire.ReasonNone {
		return
	}
	v, took = login("strict")
	row.again = brief(took)
	if v.Allow {
		t.Errorf("%s: the second time: %+v", c.name, v)
	}
	v, took = login("lenient")
	row.lenient = inWords(v) + ", " + brief(took)
	if v.Allow != c.outage || c.outage && v.Basis != wire.BasisUnavailable {
		t.Errorf("%s: with unavailable = \"allow\": %+v", c.name, v)
	}
	row.fallback = c.fallback(t, l, code)
}

// inWords is a verdict in two words.
func inWords(v wire.Verdict) string {
	if v.Allow {
		return "allow " + v.Basis.String()
	}
	return "deny " + v.Reason.String()
}

// fallback is a login of somebody who has another factor: Duo's absence costs them
// a line on the screen and no more than preauth_timeout.
func (c *duoFault) fallback(t *testing.T, l *duoLab, code string) string {
	begun := time.Now()
	k := &timedTalk{Talk: factordtest.Talk{Answers: []string{code}}}
	v, err := factordtest.Converse(l.Socket, -1, wire.Auth{User: withToken, Service: "lenient", First: true, Conv: wire.ConvPrompt}, k)
	took := k.asked.Sub(begun)
	if err != nil || !v.Allow || v.Factor != "totp" || took > 1500*time.Millisecond {
		t.Errorf("%s: with a TOTP token: %+v, %v, question after %v", c.name, v, err, took)
	}
	if c.endpoint == "" && !strings.Contains(strings.Join(k.Shown, "\n"), ": use another factor") {
		t.Errorf("%s: with a TOTP token: nothing is said of Duo: %q", c.name, k.Shown)
	}
	return brief(took) + ", " + inWords(v)
}

// timedTalk notes when it was asked first.
type timedTalk struct {
	factordtest.Talk
	asked time.Time
}

func (k *timedTalk) Ask(kind, text string) ([]byte, wire.Reply) {
	if k.asked.IsZero() {
		k.asked = time.Now()
	}
	return k.Talk.Ask(kind, text)
}

// With the times as they are shipped, and a Duo that has become a black hole, the
// question for another factor is there within 6 s, and at the second login at once.
func TestDuoBlackHole(t *testing.T) {
	t.Parallel()
	l := newDuoLab(t, duoOptions{})
	l.enroll()
	if err := l.sim.Fault(duosim.Blackhole, "", duosim.Forever); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []time.Duration{6 * time.Second, 100 * time.Millisecond} {
		k := &timedTalk{Talk: factordtest.Talk{Answers: []string{l.code()}}}
		begun := time.Now()
		a := l.auth("sudo")
		a.First, a.Conv = true, wire.ConvPrompt
		v, err := factordtest.Converse(l.Socket, -1, a, k)
		if err != nil {
			t.Fatal(err)
		}
		took := k.asked.Sub(begun)
		t.Logf("the question is there after %v; %v", took, k.Shown)
		if took > limit || !v.Allow || k.Shown[0] != "Duo can't be reached: use another factor" {
			t.Errorf("the question is there after %v, want %v: %q, %+v", took, limit, k.Shown, v)
		}
	}
}
