package pam_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/pam/pamtest"
)

// password is what the first factor asks for. It ends in digits, so that a module
// which looks for a code where none was typed finds one that is wrong.
const password = "0123456789"

// way is how one module is called in a stacking.
type way struct {
	args  string
	field bool     // the password and the code are one answer
	asked []string // at a login that succeeds
	again []string // after a wrong code, besides
	left  remains
}

// remains is what the module behind finds as PAM_AUTHTOK after a login that
// succeeds.
type remains int

const (
	nothing remains = iota
	thePassword
	allTyped // the code, which has been used, as well
)

// stacking is one of the ways to put a second factor beside a password: the eight
// that google-authenticator-libpam's module tests go through, which are told apart
// by who asks for what, and the way to the same with pam_factord.
type stacking struct {
	name         string
	before       bool // a module in front has asked for the password
	google, ours way
}

const (
	asksPassword = "Password: "
	asksCode     = "Verification code: "
	asksBoth     = "Password & verification code: "
	asksOurs     = "Passcode: "
)

// stackings: in all of them the same logins succeed and the person types the same,
// but for the last. What differs beside the wording:
//
//   - pam_factord takes the code off PAM_AUTHTOK whenever it has looked there for
//     one; google-authenticator does with forward_pass alone, and else the module
//     behind takes password and code for the password.
//   - A wrong code in the one field is final: a program with one field can't show
//     another question. try_first_pass asks there.
//   - A wrong code that was asked for may be typed again, twice.
//   - Asked beside a password that is there already, pam_factord asks for the code
//     alone; try_first_pass with forward_pass wants the password once more with it.
var stackings = []stacking{
	{"a code alone", false,
		way{"", false, []string{asksCode}, nil, nothing},
		way{"", false, []string{asksOurs}, []string{asksOurs}, nothing}},
	{"one question for both", false,
		way{"forward_pass", true, []string{asksBoth}, nil, thePassword},
		way{"single_field=6", true, []string{asksPassword}, nil, thePassword}},
	{"one field, asked before", true,
		way{"use_first_pass", true, []string{asksPassword}, nil, allTyped},
		way{"single_field=6", true, []string{asksPassword}, nil, thePassword}},
	{"one field, asked before, password for the next", true,
		way{"use_first_pass forward_pass", true, []string{asksPassword}, nil, thePassword},
		way{"single_field=6", true, []string{asksPassword}, nil, thePassword}},
	{"one field, asked before, or a question", true,
		way{"try_first_pass", true, []string{asksPassword}, []string{asksCode, asksCode}, allTyped},
		way{"single_field=6", true, []string{asksPassword}, nil, thePassword}},
	{"one field, asked before, or a question for both", true,
		way{"try_first_pass forward_pass", true, []string{asksPassword}, []string{asksBoth, asksBoth}, thePassword},
		way{"single_field=6", true, []string{asksPassword}, nil, thePassword}},
	{"a code beside a password", true,
		way{"try_first_pass", false, []string{asksPassword, asksCode}, nil, thePassword},
		way{"", false, []string{asksPassword, asksOurs}, []string{asksOurs}, thePassword}},
	{"both beside a password", true,
		way{"try_first_pass forward_pass", true, []string{asksPassword, asksBoth}, nil, thePassword},
		way{"", false, []string{asksPassword, asksOurs}, []string{asksOurs}, thePassword}},
}

// asksApart reports that the password was typed before the answer with the code in
// it is asked for.
func (s stacking) asksApart(w way) bool { return s.before && len(w.asked) == 2 }

// answers are what a person types at each question of a module, nil if they answer
// none; silent, they answer none that is about the code.
func (s stacking) answers(w way, code string, silent bool) []string {
	switch {
	case silent && !s.asksApart(w):
		return nil
	case silent:
		return []string{password}
	case w.field && s.asksApart(w):
		return []string{password, password + code}
	case w.field:
		return []string{password + code}
	case s.before:
		return []string{password, code}
	}
	return []string{code}
}

// expects is PAM_AUTHTOK after a login with so many digits of code.
func (s stacking) expects(w way, code string, digits int) string {
	switch {
	case w.left == nothing:
		return "nothing"
	case !w.field:
		return fmt.Sprintf("%q", password)
	case w.left == thePassword:
		return fmt.Sprintf("%q", password+code[:len(code)-digits])
	}
	return fmt.Sprintf("%q", password+code)
}

// unasked is a way where no code is asked for. single_field asks for the field
// nonetheless, which is the password alone then.
func (s stacking) unasked(w way) way {
	if s.before || strings.HasPrefix(w.args, "single_field") {
		return way{asked: []string{asksPassword}, left: thePassword}
	}
	return way{}
}

// afterWrong is a way after a wrong code: what is left then is what was typed in
// front, and of that pam_factord takes the code off here too.
func (s stacking) afterWrong(w way) way {
	switch {
	case strings.HasPrefix(w.args, "single_field"):
		w.left = thePassword
	case !s.before:
		w.left = nothing
	case s.asksApart(w):
		w.left, w.field = thePassword, false
	default:
		w.left = allTyped
	}
	w.asked = slices.Concat(w.asked, w.again)
	return w
}

// rig is the two modules with what one case enrols: a user for each stacking.
type rig struct {
	t       *testing.T
	c       comparison
	daemon  *factordtest.Daemon
	dir     string // of google-authenticator's state, a file for a user
	users   []string
	backups map[string][]string // of factord's users
	// services of the stackings.
	google, ours []string
}

// epoch is the clock at the beginning of a case: that of a minute.
var epoch = factordtest.Start.Add(30 * time.Second)

func (c comparison) rig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, c: c, dir: factordtest.OpenDir(t), backups: map[string][]string{}}
	r.daemon = factordtest.NewDaemon(t, factordtest.Options{Config: c.config})
	r.daemon.Clock.Add(epoch.Sub(r.daemon.Clock.Now()))
	for i, s := range stackings {
		user := fmt.Sprintf("s%d", i+1)
		r.users = append(r.users, user)
		r.daemon.Users.Set(user, uint32(3000+i))
		if !c.absent {
			r.enroll(user)
		}
		ask := ""
		if s.before {
			ask = "auth required " + authtok(t) + " ask\n"
		}
		stack := func(line string) string {
			return pamtest.Service(t, ask+"auth required "+line+"\nauth required "+authtok(t)+" show\n")
		}
		r.google = append(r.google, stack(fmt.Sprintf("pam_google_authenticator.so user=root secret=%s %s %s", r.state("${USER}"), s.google.args, c.google)))
		r.ours = append(r.ours, stack(fmt.Sprintf("%s socket=%s %s", factordtest.Module(t), r.daemon.Socket, s.ours.args)))
	}
	if c.harm != nil {
		c.harm(r)
	}
	return r
}

// state is google-authenticator's of a user.
func (r *rig) state(user string) string { return filepath.Join(r.dir, user) }

// authtok builds testdata/authtok.c.
func authtok(t testing.TB) string {
	t.Helper()
	return made(t, "authtok.so", func(path string) []string {
		return []string{"gcc", "-Wall", "-Wextra", "-Werror", "-g", "-shared", "-fPIC", "-o", path, "testdata/authtok.c", "-lpam"}
	})
}

// enroll gives both modules the same secret of a user.
func (r *rig) enroll(user string) {
	r.t.Helper()
	state, parts := "\" TOTP_AUTH\n", []string{"factor", "totp"}
	if r.c.hotp {
		state, parts = "\" HOTP_COUNTER 1\n", []string{"factor", "hotp", "counter", "1"}
	}
	parts = append(append(parts, "user", user, "no-confirm", "1", "seed", "1"), r.c.enrolment...)
	r.daemon.MustCall(wire.Command(wire.VerbEnroll, parts...), secret)
	r.backups[user] = r.daemon.MustEnroll(user, "backup").Codes
	if err := os.WriteFile(r.state(user), []byte(secret+"\n"+state+r.c.state), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// attempt is one login at one of the modules.
type attempt struct {
	name, service, user string
	stacking
	way
	login
	code, next, want string
}

// login is one login at each module, in every stacking.
func (r *rig) login(n int, l login) {
	r.t.Helper()
	at := epoch.Add(l.at)
	r.daemon.Clock.Add(at.Sub(r.daemon.Clock.Now()))
	differs := false
	for i, s := range stackings {
		name := fmt.Sprintf("login %d, %s: ", n+1, s.name)
		google := attempt{name: name + "pam_google_authenticator", service: r.google[i], way: s.google, want: l.google.in(s.google)}
		ours := attempt{name: name + "pam_factord", service: r.ours[i], way: s.ours, want: l.ours.in(s.ours)}
		differs = differs || google.want != ours.want
		known := codes{at: at, backups: r.backups[r.users[i]]}
		if l.types != nil {
			google.code, ours.code = l.types(known)
		}
		if l.then != nil {
			google.next, ours.next = l.then(known)
		}
		for _, a := range []attempt{google, ours} {
			a.stacking, a.login, a.user = s, l, r.users[i]
			a.run(r.t)
		}
	}
	if differs != (l.why != "") {
		r.t.Errorf("login %d: they differ: %v; the reason why: %q", n+1, differs, l.why)
	}
}

// words are those of testdata/app.c.
func (a attempt) words() []string {
	words := append([]string{fmt.Sprintf("clock=%d", epoch.Add(a.at).Unix())}, a.login.words...)
	answers := a.answers(a.way, a.code, a.types == nil)
	if answers == nil {
		words = append(words, "behaviour=fails")
	}
	if a.next != "" && len(a.again) > 0 && a.again[0] == asksBoth {
		answers = append(answers, password+a.next)
	} else if a.next != "" {
		answers = append(answers, a.next)
	}
	for _, answer := range answers {
		words = append(words, "once="+answer)
	}
	return append(words, "authenticate")
}

// run compares the result, the questions, and what is left of the password.
func (a attempt) run(t *testing.T) {
	t.Helper()
	out := build{}.app(t, a.service, a.user, a.words()...)
	result, asked, left := told(out)
	if result != a.want {
		t.Errorf("%s: %q, want %q: %q", a.name, result, a.want, out)
		return
	}
	w := a.way
	switch {
	case a.want == in && a.code == "":
		w = a.unasked(w)
	case a.want == in && a.next != "":
		w.asked = slices.Concat(w.asked, w.again[:1])
	case a.asksAgain:
		w = a.afterWrong(w)
	case a.want != in:
		return
	}
	if rest := a.expects(w, a.code, max(a.digits, 6)); left != rest {
		t.Errorf("%s: left is %s, want %s", a.name, left, rest)
	}
	if !slices.Equal(asked, w.asked) {
		t.Errorf("%s: asked %q, want %q", a.name, asked, w.asked)
	}
}

// told returns from what the program says the PAM code, the questions, and what
// was left of the password.
func told(out string) (result string, asked []string, left string) {
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if text, ok := strings.CutPrefix(line, "asked: "); ok {
			asked = append(asked, text)
		}
		if text, ok := strings.CutPrefix(line, "shown: left: "); ok {
			left = text
		}
		if text, ok := strings.CutPrefix(line, "authenticate: "); ok {
			result = text
		}
	}
	return result, asked, left
}

// Whoever exchanges pam_google_authenticator for pam_factord knows what changes:
// the cases of the one's tests, and some more, are run against both with the same
// secrets, clock and typing, in each stacking.
func TestModuleCases(t *testing.T) {
	t.Parallel()
	factordtest.NeedRoot(t)
	for _, c := range comparisons {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := c.rig(t)
			for n, l := range c.logins {
				r.login(n, l)
			}
		})
	}
}
