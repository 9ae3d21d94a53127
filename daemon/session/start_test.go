package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// starting is a rule under which people set up their first factor in a login.
const starting = "[[rule]]\nname = \"first\"\nfactors = [\"totp\", \"backup\"]\nenroll = \"login\"\n"

// newcomer is a person in such a login.
type newcomer struct {
	d     *factordtest.Daemon
	shown []string
	// answer is called for each question, with the secret that was shown last.
	answer    func(question, secret string) (string, bool)
	enrolling int
}

func (n *newcomer) Info(text string) { n.shown = append(n.shown, text) }
func (n *newcomer) Enrolling()       { n.enrolling++ }

func (n *newcomer) Ask(_, text string) ([]byte, wire.Reply) {
	n.shown = append(n.shown, text)
	answer, ok := n.answer(text, n.secret())
	if !ok {
		return nil, wire.ReplyCancel
	}
	return []byte(answer), wire.ReplyAnswer
}

var secretLine = regexp.MustCompile(`Secret: ((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})  \(time-based\)`)

func (n *newcomer) secret() string {
	found := secretLine.FindStringSubmatch(strings.Join(n.shown, "\n"))
	if found == nil {
		return ""
	}
	return strings.ReplaceAll(found[1], " ", "")
}

// code is the one that the app shows now.
func (n *newcomer) code(t *testing.T) string {
	return factordtest.TOTP(t, factordtest.Token{URI: "?secret=" + n.secret()}, n.d.Clock.Now())
}

// login logs in, first factor proven.
func (n *newcomer) login(t *testing.T, a wire.Auth) wire.Verdict {
	t.Helper()
	c, err := factordtest.Dial(n.d.Socket, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if a.Conv == wire.ConvNone {
		a.Conv = wire.ConvFlush
	}
	v, err := wire.Login(wire.NewLines(c), a, n)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// diligent does what is asked.
func diligent(t *testing.T, d *factordtest.Daemon) *newcomer {
	n := &newcomer{d: d}
	n.answer = func(question, _ string) (string, bool) {
		if strings.HasPrefix(question, "First code") {
			return n.code(t), true
		}
		return "", true
	}
	return n
}

// giving answers in turn, and then cancels.
func giving(d *factordtest.Daemon, answers ...string) *newcomer {
	n := &newcomer{d: d}
	n.answer = func(string, string) (string, bool) {
		if len(answers) == 0 {
			return "", false
		}
		answer := answers[0]
		answers = answers[1:]
		return answer, true
	}
	return n
}

func (n *newcomer) saw(t *testing.T, text string) {
	t.Helper()
	if !strings.Contains(strings.Join(n.shown, "\n"), text) {
		t.Errorf("%q was not shown: %q", text, n.shown)
	}
}

// history is the audit records of alice: kind, verdict, basis or reason, factor, id.
func history(t *testing.T, d *factordtest.Daemon) (all []string) {
	t.Helper()
	text := d.MustCall("AUDIT user=alice last=100")
	for line := range strings.SplitSeq(text, "\n") {
		var e store.Event
		if line == "" {
			continue
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, strings.Join(strings.Fields(fmt.Sprint(e.Kind, " ", e.Verdict, " ", e.Basis, e.Reason, " ", e.Factor, " ", e.ID, " ", e.Log)), " "))
	}
	return all
}

// kept is how many records of whatever kind the store has of alice.
func kept(t *testing.T, d *factordtest.Daemon) (n int, known bool) {
	t.Helper()
	err := d.Store.View(func(tx *store.Tx) (err error) {
		n = len(tx.Keys("alice"))
		_, known, err = tx.User("alice")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n, known
}

func TestStart(t *testing.T) {
	d := newDaemon(t, starting)
	n := diligent(t, d)
	expect(t, n.login(t, proven), "allow factor totp")
	n.saw(t, "this login needs one")
	n.saw(t, "Press Enter when done: ")
	if n.enrolling != 1 {
		t.Errorf("told of the enrolment %d times", n.enrolling)
	}
	want := []string{"enroll totp totp-1 enrolled in this login", "enroll backup backup-1 enrolled in this login", "verdict allow factor totp totp-1 enrolled in this login"}
	if got := history(t, d); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("audit records %q", got)
	}
	codes := regexp.MustCompile(`[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}`).FindAllString(strings.Join(n.shown, "\n"), -1)
	if len(codes) != 10 {
		t.Fatalf("%d backup codes: %q", len(codes), n.shown)
	}
	// The first code is spent, the next one and the backup codes work.
	expect(t, d.Login(proven, n.code(t)), "deny replayed")
	expect(t, d.Login(proven, codes[7]), "allow factor backup")
	d.Clock.Add(time.Minute)
	expect(t, d.Login(proven, n.code(t)), "allow factor totp")
}

func TestStartWithoutBackup(t *testing.T) {
	d := newDaemon(t, "[[rule]]\nfactors = [\"totp\"]\nenroll = \"login\"\n")
	n := diligent(t, d)
	expect(t, n.login(t, proven), "allow factor totp")
	n.saw(t, "from now on its codes are asked for")
	if count, _ := kept(t, d); count != 1 || strings.Contains(strings.Join(n.shown, ""), "Backup") {
		t.Errorf("%d records, and %q", count, n.shown)
	}
}

// Wrong first codes cost no budget, and leave nothing.
func TestStartWrongCodes(t *testing.T) {
	d := newDaemon(t, starting)
	for range 8 {
		n := giving(d, "000000", "", "no code")
		expect(t, n.login(t, proven), "deny attempts")
		n.saw(t, "that is not a code of this token: try the one shown now")
		n.saw(t, "no code was given")
	}
	if count, known := kept(t, d); count != 0 || known || len(history(t, d)) != 0 {
		t.Errorf("left: %d records, entry %v, %q", count, known, history(t, d))
	}
	d.Store.View(func(tx *store.Tx) error {
		if tx.HasBudget("alice") {
			t.Error("wrong first codes are counted")
		}
		return nil
	})
	n := &newcomer{d: d}
	tries := 0
	n.answer = func(string, string) (string, bool) {
		if tries++; tries < 3 {
			return "123", true
		}
		return " " + n.code(t) + "\t", true
	}
	expect(t, n.login(t, proven), "allow factor totp")
}

func TestStartPutOff(t *testing.T) {
	for mode, want := range map[string]string{"require": "deny not-enrolled", "enrolled": "allow not-enrolled", "audit": "allow audit"} {
		d := newDaemon(t, starting+"mode = \""+mode+"\"\n")
		expect(t, giving(d).login(t, proven), want)           // cancelled at once
		expect(t, giving(d, "000000").login(t, proven), want) // and after a wrong code
		if mode != "require" {
			n := giving(d, "")
			expect(t, n.login(t, proven), want)
			n.saw(t, "or Enter to skip: ")
			if v := giving(d, "1", "2", "3").login(t, proven); v.Basis == wire.BasisFactor || mode == "enrolled" && v.Reason != wire.ReasonAttempts {
				t.Errorf("%s, three wrong codes: %+v", mode, v)
			}
		}
		if count, known := kept(t, d); count != 0 || known {
			t.Errorf("%s: %d records, entry %v", mode, count, known)
		}
		expect(t, diligent(t, d).login(t, proven), "allow factor totp")
	}
}

// Who is not to set up anything is asked or refused as ever, and what there is to
// do is said to whom it may be said to.
func TestStartIsNotForAll(t *testing.T) {
	for name, tc := range map[string]struct {
		config string
		auth   wire.Auth
		uid    int
		want   string
		text   string
	}{
		"no first factor":      {starting, sudo, -1, "deny cancelled", ""},
		"the user's own":       {starting + "callers = [\"root\", \"user\"]\n", wire.Auth{Service: "sudo", First: true}, 1001, "deny not-enrolled", "administrator"},
		"account phase":        {starting, wire.Auth{User: "alice", First: true, Phase: wire.PhaseAccount}, -1, "deny not-enrolled", "where you can be asked"},
		"text only":            {starting, wire.Auth{User: "alice", First: true, Conv: wire.ConvInfo}, -1, "deny not-enrolled", "where you can be asked"},
		"text only, enrolled":  {starting + "mode = \"enrolled\"\n", wire.Auth{User: "alice", First: true, Conv: wire.ConvInfo}, -1, "allow not-enrolled", ""},
		"no such user":         {starting, wire.Auth{User: "no-such", First: true}, -1, "deny not-enrolled", "administrator"},
		"date passed":          {starting + "enroll_until = \"2033-05-01\"\n", proven, -1, "deny not-enrolled", "invitation"},
		"date passed, not yet": {starting + "enroll_until = \"2033-05-30\"\n", wire.Auth{User: "alice", First: true, Service: "x"}, -1, "deny not-enrolled", "set up"},
		"subject caller":       {starting + "subject = \"caller\"\n", wire.Auth{User: "root", RUser: "alice", First: true}, -1, "deny not-enrolled", "administrator"},
		"no such factor":       {"[[rule]]\nfactors = [\"backup\"]\nenroll = \"login\"\n", proven, -1, "deny not-enrolled", "administrator"},
		"no enroll":            {"[[rule]]\nfactors = [\"totp\"]\n", proven, -1, "deny not-enrolled", "administrator"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDaemon(t, tc.config)
			p := &factordtest.Talk{}
			v, err := factordtest.Login(d.Socket, tc.uid, tc.auth, p)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, v, tc.want)
			if began := strings.Contains(strings.Join(p.Shown, ""), "Secret"); !strings.Contains(v.Text, tc.text) || began != (name == "date passed, not yet") {
				t.Errorf("%q, shown %q", v.Text, p.Shown)
			}
		})
	}
}

// Conv of zero is "prompt" for factordtest.Login, so the phase without one asks
// for itself.
func TestStartNeedsSomebodyToAsk(t *testing.T) {
	d := newDaemon(t, starting)
	got := raw(t, d, "AUTH user=alice first=1\n")
	if !strings.HasPrefix(got, "S VERDICT deny reason=not-enrolled rule=first\nERR 102 ") || strings.Contains(got, "ENROLLING") {
		t.Errorf("%q", got)
	}
}

// The date is that of the store, which never goes back.
func TestStartDateStaysPassed(t *testing.T) {
	d := newDaemon(t, starting+"enroll_until = \"2033-05-30\"\n")
	d.Clock.Add(30 * 24 * time.Hour)
	d.MustEnroll("bob", "totp")
	expect(t, diligent(t, d).login(t, proven), "deny not-enrolled")
	d.Clock.Add(-30 * 24 * time.Hour)
	expect(t, diligent(t, d).login(t, proven), "deny not-enrolled")
}

// Who has had a factor needs an invitation.
func TestStartNotAfterAFactor(t *testing.T) {
	d := newDaemon(t, starting)
	expect(t, diligent(t, d).login(t, proven), "allow factor totp")
	d.MustCall("REMOVE user=alice id=totp-1")
	d.MustCall("REMOVE user=alice id=backup-1")
	v := diligent(t, d).login(t, proven)
	expect(t, v, "deny not-enrolled")
	if !strings.Contains(v.Text, "factorctl invite alice") {
		t.Errorf("%q", v.Text)
	}
	code := field(d.MustCall("BYPASS user=alice"), "code")
	expect(t, d.Login(proven, code), "allow factor bypass") // a code from root is asked for
}

// A factor that asks a server offers the same, by its own folder.
type invited struct{ activated chan bool }

func (invited) Name() string { return "duo" }
func (invited) Offer(context.Context, factor.Login) (factor.Offer, error) {
	return factor.Offer{}, nil
}
func (invited) Verify(context.Context, factor.Login, factor.Secret) (factor.Claim, error) {
	return factor.Claim{}, factor.ErrNotMine
}
func (f invited) Start(context.Context, factor.Login) (factor.Start, error) {
	return factor.Start{
		Show: []string{"Open https://duo.example/activate"}, Ask: "Activate the app, then press Enter", Enter: true,
		Confirm: func(context.Context, factor.Login, factor.Secret) (factor.Claim, error) {
			activated := <-f.activated
			return factor.Claim{Settle: func(rs factor.Records) (factor.Finding, error) {
				if err := rs.Put("duo-1", []byte("{}")); err != nil || !activated {
					return factor.Finding{Note: "it is not activated yet"}, err
				}
				return factor.Finding{Outcome: factor.Proven, ID: "duo-1"}, nil
			}}, nil
		},
	}, nil
}

// duoSection is what a rule with duo needs.
const duoSection = "[duo]\nikey = \"DIXXXXXXXXXXXXXXXXXX\"\nhost = \"api-x.example\"\nskey_file = \"/nowhere/skey\"\n"

func TestStartOfAnotherFactor(t *testing.T) {
	needRoot(t)
	f := invited{activated: make(chan bool, 2)}
	d := factordtest.NewDaemon(t, factordtest.Options{Factors: []factor.Factor{f},
		Config: duoSection + "[[rule]]\nfactors = [\"backup\", \"duo\", \"totp\"]\nenroll = \"login\"\n"})
	f.activated <- false
	f.activated <- true
	n := giving(d, "", "", "")
	expect(t, n.login(t, proven), "allow factor duo")
	n.saw(t, "then press Enter: ")
	n.saw(t, "it is not activated yet")
	n.saw(t, "Open https://duo.example/activate")
	if count, _ := kept(t, d); count != 2 {
		t.Errorf("%d records", count)
	}
	d.Configure(duoSection + "[[rule]]\nfactors = [\"duo\"]\nenroll = \"login\"\nmode = \"enrolled\"\n")
	n = giving(d, "skip")
	expect(t, n.login(t, wire.Auth{User: "bob", First: true}), "allow not-enrolled")
	n.saw(t, "then press Enter, or skip: ")
}

func TestExplainStart(t *testing.T) {
	d := newDaemon(t, starting)
	outcome := func() string { return field(d.MustCall("EXPLAIN user=alice service=sshd"), "outcome") }
	if got := outcome(); got != "asked to set up totp in this login" {
		t.Error(got)
	}
	d.Configure(starting + "mode = \"enrolled\"\n")
	if got := outcome(); got != "asked to set up totp in this login, and let in without if they would rather not" {
		t.Error(got)
	}
	d.Configure(starting + "enroll_until = \"2033-05-01\"\n")
	if got := outcome(); got != "refused, not-enrolled: not enrolled, and not in this login: enroll_until has passed" {
		t.Error(got)
	}
	d.Configure(starting)
	d.MustEnroll("alice", "totp")
	if got := outcome(); got != "asked for a factor" {
		t.Error(got)
	}
	d.MustCall("REMOVE user=alice id=totp-1")
	if got := outcome(); !strings.Contains(got, "has had a factor before") {
		t.Error(got)
	}
}
