package duo

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/duo/authapi"
)

// asking is one question to Duo, from its admission to its settling.
type asking struct {
	f      *Factor
	l      factor.Login
	method authapi.Method // that was named; "": any
	n      int            // of the choices, or of those of that method
	id     string         // of the booking; "": none is made
	choice choice
	by     time.Time // when all has to be over

	open  []open                     // what was asked before, without a verdict
	heard map[string]authapi.Verdict // of open
	named map[string]string          // their txids that Duo has told since, by booking
	took  time.Duration              // to hear it

	txid    string
	rang    bool // a person may have been disturbed
	reached bool // and that is known
	verdict bool // Duo has said the last word
	decided bool // by Duo, while somebody waited for it
	finding factor.Finding
	no      bool // of the person, not of Duo
	fraud   bool
}

// Choose implements factor.Asker.
func (f *Factor) Choose(_ context.Context, l factor.Login, n int) (factor.Claim, error) {
	s, _ := l.State.(*standing)
	if n < 0 || !l.Discreet && (s == nil || n >= len(s.choices)) {
		return factor.Claim{}, factor.ErrNotMine
	}
	return f.choosing(l, "", n), nil
}

func (f *Factor) choosing(l factor.Login, m authapi.Method, n int) factor.Claim {
	a := &asking{f: f, l: l, method: m, n: n, id: rand.Text()}
	return factor.Claim{
		Chosen:  true,
		Outside: &factor.Outside{Earlier: a.earlier(), Admit: a.admit, Ask: a.ask},
		Settle:  a.settle,
	}
}

// known is what Duo says of the user, asked now if it was not just before: meanwhile it
// may ask them for nothing, and would take any code. Where that must not pass for a
// proof, or even let in, the moment before is too long ago.
func (a *asking) known(ctx context.Context) (*standing, error) {
	s, _ := a.l.State.(*standing)
	if s != nil && !s.spent && a.f.AcceptBypass && !a.l.Proves && s.recent(a.f.Now()) {
		return s, nil
	}
	s, err := a.f.preauth(ctx, a.l, nil)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// pick finds what was chosen among what Duo says now: the person has seen another
// list if Duo was asked again.
func (a *asking) pick(now *standing) *choice {
	seen, _ := a.l.State.(*standing)
	if seen == nil {
		return nth(now.choices, a.method, a.n)
	}
	if n := slices.Index(now.choices, seen.choices[a.n]); n >= 0 {
		return &now.choices[n]
	}
	return nil
}

// ask sends what was chosen. Everything from here on has one deadline.
func (a *asking) ask(ctx context.Context) (*factor.Wait, error) {
	a.by = a.end()
	login := ctx
	ctx, cancel := context.WithDeadline(ctx, a.by)
	defer cancel()
	s, err := a.known(ctx)
	if err != nil {
		return nil, outage(login, err)
	}
	picked := a.pick(s)
	if s.Decision != authapi.DecisionAuth || picked == nil {
		a.refuse(s, factor.Unasked)
		return nil, nil
	}
	a.choice = *picked
	r := authapi.AuthRequest{Person: a.f.Names.Person(a.l.User), From: a.f.from(a.l), Method: a.choice.method, Device: a.choice.id}
	code := ""
	if a.choice.method == authapi.Push && len(s.VerificationCode) > 0 && a.l.Mute {
		a.decided, a.finding = true, factor.Finding{Outcome: factor.Refused, Note: needsPrompt, Log: needsPrompt}
		return nil, nil
	}
	if a.choice.method == authapi.Push {
		r.TxID, r.DisplayUsername, r.Info = s.TxID, shortened(a.l.User, maxTold), a.f.pushInfo(a.l)
		code, s.spent = plain(string(s.VerificationCode)), true
	}
	v, err := a.f.Client.Auth(ctx, r)
	a.rang = err == nil || mayHaveRung(err)
	switch {
	case err != nil:
		a.leaves(err)
		return nil, outage(login, err)
	case a.choice.method == authapi.SMS, v.Outcome != authapi.OutcomeWaiting:
		a.judge(ctx, v)
		return nil, nil
	}
	a.txid = v.TxID
	return &factor.Wait{Cue: a.choice.cue(code, !a.l.Proven), Until: func(ctx context.Context, say func(string)) error {
		return a.await(ctx, v.TxID, say)
	}}, nil
}

// await waits for the person.
func (a *asking) await(login context.Context, txid string, say func(string)) error {
	ctx, cancel := context.WithDeadline(login, a.by)
	defer cancel()
	v, err := a.f.Client.Await(ctx, txid, func(v authapi.Verdict) {
		a.reached = a.reached || slices.Contains(ringing, v.Status)
		if text := plain(v.Message); text != "" && v.Status != "pushed" && v.Status != "calling" { // the cue has said so
			say(text)
		}
	})
	if err == nil {
		a.judge(login, v)
		if a.decided {
			return nil
		}
	}
	if login.Err() == nil && ctx.Err() != nil {
		a.decided, a.finding = true, factor.Finding{Outcome: factor.Lapsed, Note: a.choice.unanswered(), Log: "no answer within the deadline, txid " + plain(txid)}
		return nil
	}
	return outage(login, err)
}

// mayHaveRung: of a request that got no answer it is not known whether Duo acted on it,
// and of one that a gateway gave up neither.
func mayHaveRung(err error) bool {
	var e *authapi.Error
	if !errors.As(err, &e) {
		return true
	}
	switch e.Kind {
	case authapi.Silent, authapi.Ended, authapi.Garbled, authapi.Local, authapi.Unreachable:
		return !e.Remembered
	case authapi.Broken:
		return !e.Remembered && (e.Status == http.StatusBadGateway || e.Status == http.StatusGatewayTimeout)
	}
	return false
}

// refuse settles what Duo was not asked for after all. A choice is then like one that
// nobody has, so that nothing is learnt of who has Duo.
func (a *asking) refuse(s *standing, outcome factor.Outcome) {
	a.decided = true
	a.finding = factor.Finding{Outcome: outcome, Log: "Duo: " + decisionText(s)}
	if s.Decision == authapi.DecisionAllow && a.f.AcceptBypass {
		a.finding = factor.Finding{Outcome: factor.Waived, Note: waived(s.Message), Log: "Duo: no proof was asked for: " + plain(s.Message)}
		return
	}
	if outcome == factor.Unasked {
		a.finding.Note = "no code was given"
	}
}

func decisionText(s *standing) string {
	switch s.Decision {
	case authapi.DecisionAuth:
		return "there is no such choice"
	case authapi.DecisionAllow:
		return said("no second factor is asked for, and accept_bypass = false", s.Message)
	case authapi.DecisionEnroll:
		return said("the user has no account there", s.Message)
	}
	return said("deny", s.Message)
}

// ringing are the states of a question that a person is looking at.
var ringing = []string{"pushed", "calling", "answered"}

// maxTrust bounds a token of a trusted device, in bytes: a longer one is not kept.
const maxTrust = 1 << 10

// judge takes Duo's verdict, unless the login that asked for it is over. Sending an
// SMS proves nothing, whatever Duo says to it.
func (a *asking) judge(login context.Context, v authapi.Verdict) {
	if login.Err() != nil {
		return
	}
	a.decided, a.verdict = true, true
	a.finding = factor.Finding{Outcome: factor.Wrong, Log: describe(a.choice, v)}
	passcode := a.choice.method == authapi.Passcode
	switch {
	case v.Outcome == authapi.OutcomeAllow && !passcode && (v.Status == "bypass" || a.choice.method == authapi.SMS):
		a.bypassed(v)
	case v.Outcome == authapi.OutcomeAllow:
		a.finding.Outcome = factor.Proven
		if a.f.AcceptBypass && len(v.TrustedDeviceToken) <= maxTrust {
			a.finding.Trust = v.TrustedDeviceToken
		}
	case v.Status == "locked_out":
		a.finding.Note = "Duo has locked your account: ask your administrator"
		if !passcode {
			a.finding.Outcome = factor.Refused
		}
	case passcode:
	case a.choice.method == authapi.SMS:
		a.finding.Outcome, a.finding.Note = factor.Sent, "passcodes sent by SMS: type the first"
		if v.Status != "sent" {
			a.finding.Outcome, a.finding.Note = factor.Lapsed, said("Duo sent no passcodes", v.Message)
		}
	case v.Status == "timeout":
		a.finding.Outcome, a.finding.Note = factor.Lapsed, a.choice.unanswered()
	case !byPerson(v, a.reached):
		a.finding.Outcome, a.finding.Note = factor.Refused, said("Duo does not let you in", v.Message)
		a.finding.Log = said(a.finding.Log, v.Message)
	default:
		a.finding.Outcome, a.finding.Note = factor.Denied, a.choice.denied()
		a.no, a.fraud = true, v.Status == "fraud"
		if a.fraud {
			a.finding.Note += " and reported: no more are sent until your administrator unlocks them (factorctl unlock " + a.l.User + ")"
		}
	}
}

// bypassed: Duo has let them in without asking the person.
func (a *asking) bypassed(v authapi.Verdict) {
	a.finding.Outcome, a.finding.Note = factor.Waived, waived(v.Message)
	if !a.f.AcceptBypass {
		a.finding.Outcome, a.finding.Note = factor.Lapsed, notAccepted
	}
}

// settle says what came of it, and books it. Without a decision it is a lapse.
func (a *asking) settle(rs factor.Records) (factor.Finding, error) {
	if !a.decided {
		a.finding = factor.Finding{Outcome: factor.Lapsed, Note: a.choice.unanswered(), Log: "no decision"}
	}
	a.finding.ID = name
	return a.finding, a.book(rs)
}
