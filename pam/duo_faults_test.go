package pam_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/pam/pamtest"
)

// noNetwork is a machine without a network, not even a loopback.
var noNetwork = []string{"unshare", "--net"}

// duoFault is a way in which Duo is not there, or not well, and what comes of it.
type duoFault struct {
	name     string
	fault    duosim.Fault
	endpoint string // "": all
	times    int    // 0: forever
	prepare  func(*duosim.Server)
	wrap     []string
	host     string // instead of the simulator's
	more     string // instead of shortPatience

	debian debianEnd
	reason wire.Reason // of factord; ReasonNone: lets in, since a factor was proven
	outage bool        // what a rule with unavailable = "allow" lets in
	log    string      // what is in factord's log
}

// debianEnd is what login_duo 1.11.3 does, with failmode = safe, its default, and
// with secure.
type debianEnd struct {
	safe, secure bool // it lets in
	hangs        bool // neither, ever
	slow         bool // takes more than five seconds
}

var (
	failmodes = debianEnd{safe: true}
	denies    = debianEnd{}
	unaware   = debianEnd{safe: true, secure: true}
)

// shortPatience keeps the test short. The times of the shipped configuration are
// in TestDuoBlackHole.
const (
	shortPatience = "preauth_timeout = \"1s\"\ndeadline = \"2s\"\n"
	shortDeadline = 2 * time.Second
)

var duoFaults = []duoFault{
	{name: "refused connection", fault: duosim.Refused, debian: failmodes, reason: wire.ReasonUnavailable, outage: true, log: "connection refused"},
	{name: "no route", wrap: noNetwork, host: "192.0.2.77:443", debian: debianEnd{safe: true, slow: true}, reason: wire.ReasonUnavailable, outage: true, log: "unreachable"},
	{name: "no such name", wrap: noNetwork, host: "duo.invalid:443", debian: failmodes, reason: wire.ReasonUnavailable, outage: true, log: "no connection"},
	{name: "black hole", fault: duosim.Blackhole, debian: debianEnd{safe: true, slow: true}, reason: wire.ReasonUnavailable, outage: true, log: "no connection"},
	{name: "TLS that never answers", fault: duosim.TLSSilence, debian: debianEnd{hangs: true}, reason: wire.ReasonUnavailable, log: "no answer in time"},
	{name: "expired certificate", fault: duosim.ExpiredCert, debian: failmodes, reason: wire.ReasonUnavailable, log: "expired"},
	{name: "certificate of another name", fault: duosim.WrongNameCert, debian: failmodes, reason: wire.ReasonUnavailable, log: "not trusted"},
	{name: "self-signed certificate", fault: duosim.SelfSigned, debian: failmodes, reason: wire.ReasonUnavailable, log: "not trusted"},
	{name: "500", fault: duosim.ServerError, debian: failmodes, reason: wire.ReasonUnavailable, outage: true, log: "HTTP 500"},
	{name: "502 in HTML", fault: duosim.BadGateway, debian: failmodes, reason: wire.ReasonUnavailable, outage: true, log: "HTTP 502"},
	{name: "503", fault: "code=50301", debian: failmodes, reason: wire.ReasonUnavailable, outage: true, log: "HTTP 503"},
	{name: "400", fault: "code=40002", debian: denies, reason: wire.ReasonUnavailable, log: "40002"},
	{name: "403", fault: "code=40301", debian: denies, reason: wire.ReasonUnavailable, log: "40301"},
	{name: "404", fault: "code=40401", debian: denies, reason: wire.ReasonUnavailable, log: "40401"},
	{name: "429 forever", fault: duosim.RateLimit, debian: denies, reason: wire.ReasonUnavailable, log: "too many requests"},
	{name: "429 once, Retry-After: 1", fault: "429=1", times: 1, more: "preauth_timeout = \"3s\"\ndeadline = \"4s\"\n", debian: denies},
	{name: "429, Retry-After: 600", fault: "429=600", debian: denies, reason: wire.ReasonUnavailable, log: "10m0s"},
	{name: "401 after a rotated key", prepare: func(s *duosim.Server) { s.RotateKey() }, debian: failmodes, reason: wire.ReasonUnavailable, log: "40103"},
	{name: "401, no such integration", fault: duosim.WrongIKey, debian: failmodes, reason: wire.ReasonUnavailable, log: "40102"},
	{name: "HTML instead of JSON", fault: duosim.HTML, debian: failmodes, reason: wire.ReasonUnavailable, log: "makes no sense"},
	{name: "garbage", fault: duosim.Garbage, debian: failmodes, reason: wire.ReasonUnavailable, log: "makes no sense"},
	{name: "half a body", fault: duosim.Truncated, debian: failmodes, reason: wire.ReasonUnavailable},
	{name: "half a response", fault: duosim.HalfResponse, debian: failmodes, reason: wire.ReasonUnavailable},
	{name: "a body without an end", fault: duosim.HugeBody, debian: failmodes, reason: wire.ReasonUnavailable, log: "makes no sense"},
	{name: "an unknown result", fault: duosim.UnknownResult, debian: failmodes, reason: wire.ReasonUnavailable, log: "makes no sense"},
	// The old API signs no date.
	{name: "this clock is 312 s ahead", fault: "clock-skew=-312s", debian: unaware, reason: wire.ReasonUnavailable, log: "duo: this clock is 312 s ahead"},
	{name: "500 at the push", fault: duosim.ServerError, endpoint: "auth", debian: denies, reason: wire.ReasonUnavailable, log: "HTTP 500"},
	{name: "429 at the push", fault: duosim.RateLimit, endpoint: "auth", debian: denies, reason: wire.ReasonUnavailable, log: "too many requests"},
	{name: "silence at the push", fault: duosim.TLSSilence, endpoint: "auth", debian: debianEnd{hangs: true}, reason: wire.ReasonUnavailable},
	// login_duo without a terminal asks once and waits.
	{name: "silence in the wait", fault: duosim.TLSSilence, endpoint: "auth_status", debian: unaware, reason: wire.ReasonTimeout},
	{name: "no decision, ever", fault: duosim.NeverFinal, endpoint: "auth_status", debian: unaware, reason: wire.ReasonTimeout},
}

// debianPatience is how long login_duo is waited for: it tries a silent connection
// three times, 22 s in all.
const debianPatience = 26 * time.Second

// Every way in which Duo is not there, for Debian's login_duo and for factord. The
// table of what was seen is in the log. None lets in but by a rule that says so in
// words, and none takes longer than the deadline and a second.
func TestDuoFaults(t *testing.T) {
	t.Parallel()
	rows := make([]faultRow, len(duoFaults))
	t.Run("cases", func(t *testing.T) {
		for i, c := range duoFaults {
			rows[i].name = c.name
			for mode, seen := range map[string]*string{"safe": &rows[i].safe, "secure": &rows[i].secure} {
				t.Run(c.name+", login_duo "+mode, func(t *testing.T) {
					t.Parallel()
					*seen = c.debianCase(t, mode)
				})
			}
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.factordCase(t, &rows[i])
			})
		}
	})
	table := fmt.Sprintf("%-28s | %-19s %-19s | %-21s %-9s %-21s %s\n", "", "login_duo safe", "secure", "factord", "again", "unavailable=allow", "with a TOTP token: to the question, then")
	for _, r := range rows {
		table += fmt.Sprintf("%-28s | %-19s %-19s | %-21s %-9s %-21s %s\n", r.name, r.safe, r.secure, r.strict, r.again, r.lenient, r.fallback)
	}
	t.Logf("outcome, and time to it\n%s", table)
}

// faultRow is what was seen of one fault.
type faultRow struct{ name, safe, secure, strict, again, lenient, fallback string }

func (c duoFault) debianCase(t *testing.T, mode string) string {
	in, took := c.loginDuo(t, mode, debianPatience)
	want := map[string]bool{"safe": c.debian.safe, "secure": c.debian.secure}[mode]
	if in != want {
		t.Errorf("login_duo lets in: %v, want %v", in, want)
	}
	if hung := took >= debianPatience; hung != c.debian.hangs {
		t.Errorf("login_duo takes %v", took)
	}
	if slow := took > 5*time.Second; slow != (c.debian.slow || c.debian.hangs) {
		t.Errorf("login_duo takes %v", took)
	}
	if c.debian.hangs {
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

func (c duoFault) factordCase(t *testing.T, row *faultRow) {
	if c.more == "" {
		c.more = shortPatience
	}
	l := newDuoLabFor(t, duoOptions{more: c.more, wrap: c.wrap, host: c.host, rules: faultRules,
		sim: duosim.Config{Answer: duosim.Approved, Users: []duosim.User{person(withToken)}}}, pamtest.Account{Name: withoutToken})
	l.token = l.MustEnroll(withToken, "totp")
	l.codes = oathTOTP(t, l.token, time.Now().Add(-8*period), 16)
	c.set(t, l.sim)
	login := func(service string) (wire.Verdict, time.Duration) {
		t.Helper()
		begun := time.Now()
		v, err := factordtest.Converse(l.Socket, -1, wire.Auth{User: withoutToken, Service: service, First: true, Conv: wire.ConvInfo}, &factordtest.Talk{})
		took := time.Since(begun)
		if err != nil {
			t.Fatal(err)
		}
		if limit := shortDeadline + time.Second; took > limit && c.times == 0 {
			t.Errorf("%s: %v, more than %v", service, took, limit)
		}
		return v, took
	}
	v, took := login("strict")
	row.strict = inWords(v) + ", " + brief(took)
	if v.Allow != (c.reason == wire.ReasonNone) || v.Reason != c.reason || v.Allow && v.Basis != wire.BasisFactor {
		t.Errorf("%+v, want %v", v, c.reason)
	}
	if !strings.Contains(l.Log(), c.log) {
		t.Errorf("the log does not say %q", c.log)
	}
	if c.reason == wire.ReasonNone {
		return
	}
	v, took = login("strict")
	row.again = brief(took)
	if v.Allow {
		t.Errorf("the second time: %+v", v)
	}
	v, took = login("lenient")
	row.lenient = inWords(v) + ", " + brief(took)
	if v.Allow != c.outage || c.outage && v.Basis != wire.BasisUnavailable {
		t.Errorf("with unavailable = \"allow\": %+v", v)
	}
	row.fallback = c.fallback(t, l)
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
func (c duoFault) fallback(t *testing.T, l *duoLab) string {
	begun := time.Now()
	k := &timedTalk{Talk: factordtest.Talk{Answers: []string{l.code()}}}
	v, err := factordtest.Converse(l.Socket, -1, wire.Auth{User: withToken, Service: "lenient", First: true, Conv: wire.ConvPrompt}, k)
	if err != nil {
		t.Fatal(err)
	}
	took := k.asked.Sub(begun)
	if !v.Allow || v.Factor != "totp" || took > 1500*time.Millisecond {
		t.Errorf("with a TOTP token: %+v, question after %v", v, took)
	}
	if c.endpoint == "" && !strings.Contains(strings.Join(k.Shown, "\n"), ": use another factor") {
		t.Errorf("with a TOTP token: nothing is said of Duo: %q", k.Shown)
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

func (c duoFault) set(t *testing.T, sim *duosim.Server) {
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

// loginDuo is what Debian's login_duo does, and how soon; a hung one is given up.
func (c duoFault) loginDuo(t *testing.T, failmode string, limit time.Duration) (in bool, took time.Duration) {
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
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	argv := append(append([]string{}, c.wrap...), login, "-d", "-c", file, "-f", "alice", "echo", "let", "in")
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = time.Second
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	took = time.Since(begun)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && ctx.Err() == nil {
		t.Fatalf("%q: %v", argv, err)
	}
	return strings.Contains(string(out), "let in\n"), took
}
