package pam_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	hotplib "github.com/pquerna/otp/hotp"
	"golang.org/x/crypto/ssh"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/store"
)

// comparison is one case of TestModuleCases. Without more, both have a TOTP token
// with the same secret, and no other option.
type comparison struct {
	name      string
	google    string   // arguments, beside those of the stacking
	state     string   // options in google-authenticator's file
	config    string   // factord's
	enrolment []string // options of factord's token
	hotp      bool     // a counter, which both start at 1
	absent    bool     // nobody is enrolled
	harm      func(*rig)
	logins    []login
}

// login is one login in each stacking.
type login struct {
	at           time.Duration // after epoch
	types        typed         // nil: nothing, as by Ctrl-D
	then         typed         // at the next question
	google, ours outcome
	why          string   // they differ
	words        []string // of testdata/app.c, before
	asksAgain    bool     // a wrong code: what is asked and left then is looked at
	digits       int      // of the code, if not 6
}

// outcome is a PAM code as PAM says it: of a code that was asked for alone, and, if
// they differ, of one at the end of a password, where nothing is asked at all, and
// where something is asked after a wrong code.
type outcome struct{ alone, field, never, again string }

func (o outcome) in(w way) string {
	if o.never != "" && strings.Contains(w.args, "use_first_pass") {
		return o.never
	}
	if o.again != "" && len(w.again) > 0 {
		return o.again
	}
	if w.field && o.field != "" {
		return o.field
	}
	return o.alone
}

const (
	in      = "Success"
	dead    = ""         // the program crashes
	ignored = saysIgnore // PAM_IGNORE, of a stack in which nobody else decides
)

var (
	allowed = outcome{alone: in}
	refused = outcome{alone: saysAuthErr}
	// gone is who has cancelled a question; in one field stands a wrong code.
	gone = outcome{alone: saysAbort, field: saysAuthErr}
	// inPassword is a code with digits before it, which a password can end in.
	inPassword = outcome{alone: saysAuthErr, field: in}
)

// secret is everybody's. That it is always the same, and the clock too, keeps
// chance away: google-authenticator looks for a wrong code in 3000 steps.
const secret = "MZQWG5DPOJSC2Y3BONSXGLLFNZSGQZLS"

// codes are what a person can type at a time.
type codes struct {
	at      time.Time
	backups []string
}

// typed is a person's choice of codes for each of the modules.
type typed func(codes) (google, ours string)

// text is a code known beforehand.
func text(code string) typed { return func(codes) (string, string) { return code, code } }

// off is the code of a phone that is so many seconds ahead, of a token with that
// period in seconds.
func off(seconds, period int64) typed {
	return func(c codes) (string, string) {
		code := hotpCode(uint64((c.at.Unix() + seconds) / period))
		return code, code
	}
}

// step is the code of the n-th step of 30 s from epoch on.
func step(n int64) typed { return text(hotpCode(uint64(epoch.Unix()/30 + n))) }

// longer is a code with something before it, or, if cut is not 0, without its
// first digits.
func longer(before string, cut int, t typed) typed {
	return func(c codes) (string, string) {
		google, ours := t(c)
		return before + google[cut:], before + ours[cut:]
	}
}

// hotp is the code of a counter.
func hotp(counter uint64) typed { return text(hotpCode(counter)) }

// scratch is a code for when the token is lost: each module has its own.
func scratch(c codes) (string, string) { return scratchCode, c.backups[0] }

const scratchCode = "87654321"

func hotpCode(counter uint64) string {
	code, err := hotplib.GenerateCode(secret, counter)
	if err != nil {
		panic(err)
	}
	return code
}

// wrongCode is right at no time near, and for no counter.
const wrongCode = "123456"

// comparisons: the first ones are those of google-authenticator-libpam's tests, in
// their order.
var comparisons = []comparison{
	{name: "wrong", logins: []login{
		{types: text(wrongCode), google: refused, ours: refused, asksAgain: true},
	}},
	{name: "a digit short", logins: []login{
		{types: longer("", 1, off(0, 30)), google: refused, ours: refused},
	}},
	{name: "a digit more", logins: []login{
		{types: longer("0", 0, off(0, 30)), google: inPassword, ours: inPassword,
			why: "where the password is typed twice (the last stacking), the digit is its end for the one and the code's beginning for the other"},
	}},
	{name: "two digits more", logins: []login{
		{types: longer("00", 0, off(0, 30)), google: inPassword, ours: inPassword,
			why: "as with one digit"},
	}},
	{name: "blank", logins: []login{
		{types: text(""), google: refused, ours: gone,
			why: "to pam_factord Enter alone is nobody's guess: it asks again, and the person gives up"},
	}},
	{name: "not enrolled", absent: true, logins: []login{
		{types: text(wrongCode), google: refused, ours: refused},
	}},
	{name: "not enrolled and let in", absent: true, google: "nullok", config: enrolledRule, logins: []login{
		{types: text(wrongCode), google: outcome{alone: ignored}, ours: outcome{alone: ignored}},
	}},
	{name: "right", logins: []login{
		{types: off(0, 30), google: allowed, ours: allowed},
	}},
	{name: "period of 60 s", state: "\" STEP_SIZE 60\n", enrolment: []string{"period", "60"}, logins: []login{
		{types: off(-120, 60), google: refused, ours: refused},
		{types: off(-60, 60), google: allowed, ours: allowed},
		{types: off(0, 60), google: allowed, ours: allowed},
		{types: off(60, 60), google: allowed, ours: allowed},
		{types: off(120, 60), google: refused, ours: refused},
	}},
	{name: "window as shipped", logins: []login{
		{types: off(-60, 30), google: refused, ours: refused},
		{types: off(-30, 30), google: allowed, ours: allowed},
		{types: off(0, 30), google: allowed, ours: allowed},
		{types: off(30, 30), google: allowed, ours: allowed},
		{types: off(60, 30), google: refused, ours: refused},
	}},
	{name: "window of 6", state: "\" WINDOW_SIZE 6\n", config: "[totp]\nwindow = 2\n" + factordtest.AnyRule, logins: []login{
		{types: off(-90, 30), google: refused, ours: refused},
		{types: off(-60, 30), google: allowed, ours: allowed},
		{types: off(60, 30), google: allowed, ours: allowed},
		{types: off(90, 30), google: allowed, ours: refused,
			why: "6 steps are 2 before and 3 after; factord's window has as many on each side"},
	}},
	{name: "code again", logins: []login{
		{types: off(0, 30), google: allowed, ours: allowed},
		{types: off(0, 30), google: allowed, ours: refused, why: "factord takes no code twice, whoever forgot to ask for that"},
	}},
	{name: "code again, and not allowed", state: "\" DISALLOW_REUSE\n", logins: []login{
		{types: off(0, 30), google: allowed, ours: allowed},
		{types: off(0, 30), google: refused, ours: refused},
		{at: 30 * time.Second, types: step(0), google: refused, ours: refused},
	}},
	{name: "a code at each step", state: "\" DISALLOW_REUSE\n", logins: eachStep(7)},
	{name: "too many logins", state: "\" RATE_LIMIT 4 120\n", logins: []login{
		{types: step(0), google: allowed, ours: allowed},
		{at: 30 * time.Second, types: step(1), google: allowed, ours: allowed},
		{at: 60 * time.Second, types: step(2), google: allowed, ours: allowed},
		{at: 90 * time.Second, types: step(3), google: allowed, ours: allowed},
		{at: 120 * time.Second, types: step(4), google: refused, ours: allowed, why: "factord counts answers that are wrong, not logins"},
		{at: 180 * time.Second, types: step(6), google: allowed, ours: allowed},
	}},
	{name: "damaged state", state: "\" RATE_LIMIT 4 120 \n", harm: spoil, logins: []login{
		{types: off(0, 30), google: refused, ours: outcome{alone: saysUnavail}, why: "what can't be read is unavailable, so that an administrator can tell"},
	}},
	{name: "a phone that is hours off", logins: []login{
		{types: off(-30_000, 30), google: refused, ours: refused},
		{at: 30 * time.Second, types: off(-30_000, 30), google: refused, ours: refused},
		{at: 60 * time.Second, types: off(-30_000, 30), google: allowed, ours: refused,
			why: "codes of another time prove nothing, however many: factord wants the clock set"},
		{at: 90 * time.Second, types: off(-30_000, 30), google: allowed, ours: refused, why: "as above"},
	}},
	{name: "a phone that is hours off, and stays so", google: "noskewadj", logins: []login{
		{types: off(-30_000, 30), google: refused, ours: refused},
		{at: 30 * time.Second, types: off(-30_000, 30), google: refused, ours: refused},
		{at: 60 * time.Second, types: off(-30_000, 30), google: refused, ours: refused},
	}},
	{name: "backup code", state: scratchCode + "\n", logins: []login{
		{types: text("12345678"), google: refused, ours: refused},
		{types: scratch, digits: 8, google: allowed, ours: outcome{alone: in, field: saysAuthErr},
			why: "factord's are twelve characters with dashes, which the one field of single_field=6 does not hold"},
		{types: scratch, digits: 8, google: refused, ours: refused},
	}},
	{name: "counter", hotp: true, logins: []login{
		{types: hotp(1), google: allowed, ours: allowed},
		{types: hotp(1), google: refused, ours: refused},
		{types: hotp(5), google: allowed, ours: allowed},
		{types: hotp(5), google: refused, ours: refused},
	}},

	// What its tests leave out.
	{name: "wrong, and then right", logins: []login{
		{types: text(wrongCode), then: off(0, 30), google: outcome{alone: saysAuthErr, again: in}, ours: outcome{alone: saysAuthErr, again: in},
			why: "each asks again where the other does not: see the stackings"},
	}},
	{name: "letters", logins: []login{
		{types: text("12345a"), google: refused, ours: refused},
		{types: text("abcdef"), google: refused, ours: refused},
	}},
	{name: "nobody answers", logins: []login{
		{google: refused, ours: gone,
			why: "who gives up has cancelled, which is no wrong code"},
	}},
	{name: "no answer to a question", logins: []login{
		{words: []string{"behaviour=null"}, types: off(0, 30), google: refused, ours: gone, why: "as above"},
	}},
	{name: "no conversation", logins: []login{
		{words: []string{"mute"}, types: off(0, 30), google: outcome{alone: dead, never: saysAuthErr}, ours: gone,
			why: "google-authenticator calls the conversation that is not there"},
	}},
	{name: "enrolled where others are let in", google: "nullok", config: enrolledRule, logins: []login{
		{types: text(wrongCode), google: refused, ours: refused},
		{types: off(0, 30), google: allowed, ours: allowed},
	}},
	{name: "an older code", state: "\" DISALLOW_REUSE\n", logins: []login{
		{types: off(0, 30), google: allowed, ours: allowed},
		{types: off(-30, 30), google: allowed, ours: refused, why: "whoever has seen an older code may not come after its owner"},
	}},
	{name: "a code before its time", logins: []login{
		{types: step(2), google: refused, ours: refused},
		{at: 60 * time.Second, types: step(2), google: allowed, ours: refused, why: "what was seen outside the window is spent: who else has seen it is not known"},
	}},
	{name: "too many wrong codes", state: "\" RATE_LIMIT 6 30\n", logins: append(wrongCodes(6),
		login{types: step(0), google: refused, ours: outcome{alone: saysMaxTry}, why: "a program that hears of MAXTRIES does not ask again at once"},
		login{at: 31 * time.Second, types: step(1), google: allowed, ours: allowed},
	)},
	{name: "too many wrong codes, and nobody has set a limit", logins: append(wrongCodes(6),
		login{types: step(0), google: allowed, ours: outcome{alone: saysMaxTry}, why: "factord has a limit for everybody"},
		login{at: 2 * time.Second, types: step(0), google: allowed, ours: allowed},
	)},
	{name: "damaged state, where others are let in", google: "nullok", config: enrolledRule, state: "\" RATE_LIMIT 4 120 \n", harm: spoil, logins: []login{
		{types: off(0, 30), google: refused, ours: outcome{alone: saysUnavail}, why: "neither takes it for one who is not enrolled; factord says what it is"},
	}},
	{name: "state that others can read", harm: readable, logins: []login{
		{types: off(0, 30), google: refused, ours: allowed, why: "factord refuses that when it starts; nobody but it could read a sealed record anyway"},
	}},
	{name: "a phone that is minutes off", state: "\" DISALLOW_REUSE\n", logins: []login{
		{types: off(300, 30), google: refused, ours: refused},
		{at: 30 * time.Second, types: off(300, 30), google: refused, ours: refused},
		{at: 60 * time.Second, types: off(300, 30), google: allowed, ours: refused, why: "as with one that is hours off, though factord's log says by how much it is"},
	}},
	{name: "a phone that gets slower", logins: []login{
		{types: off(-30, 30), google: allowed, ours: allowed},
		{at: 1 * time.Minute, types: off(-30, 30), google: allowed, ours: allowed},
		{at: 2 * time.Minute, types: off(-30, 30), google: allowed, ours: allowed},
		{at: 3 * time.Minute, types: off(-60, 30), google: refused, ours: allowed, why: "factord learns from each login where the phone's clock is"},
	}},
	{name: "counter ahead", hotp: true, logins: []login{
		{types: hotp(4), google: refused, ours: allowed, why: "factord looks 10 ahead, google-authenticator 2"},
	}},
	{name: "counter ahead, equally far", hotp: true, enrolment: []string{"look-ahead", "2"}, logins: []login{
		{types: hotp(3), google: allowed, ours: allowed},
		{types: hotp(7), google: refused, ours: refused},
	}},
	{name: "counter far ahead", hotp: true, logins: []login{
		{types: hotp(12), google: refused, ours: refused},
		{types: hotp(11), google: refused, ours: allowed, why: "10 ahead, as above"},
	}},
	{name: "counter after wrong codes", hotp: true, logins: []login{
		{types: text(wrongCode), google: refused, ours: refused},
		{types: hotp(1), google: refused, ours: allowed, why: "a wrong code moves google-authenticator's counter, so that strangers push it past its owner's"},
	}},
	{name: "counter that stays", hotp: true, google: "no_increment_hotp", logins: []login{
		{types: text(wrongCode), google: refused, ours: refused},
		{types: hotp(1), google: allowed, ours: allowed},
	}},
	{name: "a login not long ago", google: "grace_period=60", state: "\" DISALLOW_REUSE\n", config: rememberingRule, logins: []login{
		{types: step(0), words: overSSH("a"), google: allowed, ours: allowed},
		{at: 50 * time.Second, types: text(""), words: overSSH("a"), google: allowed, ours: allowed},
		{at: 55 * time.Second, types: text(""), words: overSSH("b"), google: allowed, ours: gone,
			why: "a proof is remembered for the key that it came with, not for everybody at that address"},
		{at: 61 * time.Second, types: text(""), words: overSSH("a"), google: refused, ours: gone, why: "Enter alone, as above"},
	}},
	{name: "out of reach", harm: outOfReach, logins: []login{
		{types: off(0, 30), google: refused, ours: outcome{alone: saysUnavail}, why: "a file that can't be read is one, a directory of accounts that is down the other: not the same as a wrong code"},
	}},
	{name: "no such account, where others are let in", google: "nullok", config: enrolledRule, absent: true, harm: rename, logins: []login{
		{types: text(wrongCode), google: outcome{alone: ignored}, ours: refused,
			why: "google-authenticator, told where the files are, looks for no account; to factord nobody is no user without a token"},
	}},
}

const (
	enrolledRule    = "[[rule]]\nmode = \"enrolled\"\nfactors = [\"totp\", \"backup\"]\n"
	rememberingRule = "[[rule]]\nfactors = [\"totp\"]\nremember = \"60s\"\n"
)

func eachStep(n int64) (logins []login) {
	for i := range n {
		logins = append(logins, login{at: time.Duration(i) * 30 * time.Second, types: step(i), google: allowed, ours: allowed})
	}
	return logins
}

func wrongCodes(n int) (logins []login) {
	for range n {
		logins = append(logins, login{types: text(wrongCode), google: refused, ours: refused})
	}
	return logins
}

// spoil makes factord's records of tokens unreadable.
func spoil(r *rig) {
	for _, user := range r.users {
		err := r.daemon.Store.Update(context.Background(), func(tx *store.Tx) error {
			return tx.Scope(user, "totp").Put("totp-1", []byte("{"))
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// readable lets everybody read the states.
func readable(r *rig) {
	paths := []string{filepath.Join(r.daemon.Dir, "factord.db")}
	for _, user := range r.users {
		paths = append(paths, r.state(user))
	}
	for _, path := range paths {
		if err := os.Chmod(path, 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

// outOfReach puts folders where the files were, and the directory of accounts down.
func outOfReach(r *rig) {
	for _, user := range r.users {
		if err := errors.Join(os.Remove(r.state(user)), os.Mkdir(r.state(user), 0o700)); err != nil {
			r.t.Fatal(err)
		}
	}
	r.daemon.Users.Break(true)
}

// rename gives the accounts other names.
func rename(r *rig) {
	for _, user := range r.users {
		r.daemon.Users.Rename(user, "not-"+user)
	}
}

// overSSH is a login from one address with a key made from a seed.
func overSSH(seed string) []string {
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed([]byte(strings.Repeat(seed, 32))).Public())
	if err != nil {
		panic(err)
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	return []string{"rhost=192.0.2.7", "tty=ssh", "key=publickey " + line}
}
