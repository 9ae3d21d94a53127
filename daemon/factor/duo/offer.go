package duo

import (
	"context"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/duo/authapi"
)

// standing is what Duo said of a user in this attempt.
type standing struct {
	authapi.Preauth
	choices []choice
	at      time.Time     // by the factor's clock
	took    time.Duration // to hear it
	spent   bool          // a push has used TxID
}

// standingLife is how long what Duo said holds: about as long as somebody takes who does
// not read the prompt. A Verified Push's code has 60 s, of which the person needs some.
const standingLife = 2 * time.Second

// recent reports whether it holds still.
func (s *standing) recent(now time.Time) bool {
	age := now.Sub(s.at)
	return age >= 0 && age < standingLife
}

// end is when all that is asked of Duo has to be over: what was asked before the prompt
// counts, and about earlier questions; what the person took to answer does not.
func (a *asking) end() time.Time {
	left := a.f.Client.Deadline() - a.took
	if s, _ := a.l.State.(*standing); s != nil {
		left -= s.took
	}
	return time.Now().Add(left)
}

// Offer implements factor.Factor.
func (f *Factor) Offer(ctx context.Context, l factor.Login) (factor.Offer, error) {
	if !l.Wanted {
		return factor.Offer{}, nil
	}
	if l.Discreet {
		return factor.Offer{Usable: true, Undisclosed: true}, nil
	}
	trust := l.Trust
	if !f.AcceptBypass { // Duo would let them in for it, and that not be accepted
		trust = nil
	}
	s, err := f.preauth(ctx, l, trust)
	if err != nil {
		return factor.Offer{}, outage(ctx, err)
	}
	o := f.offer(s)
	if l.Mute && o.Usable && o.Waived == "" && len(s.VerificationCode) > 0 {
		o = factor.Offer{Enrolled: o.Enrolled, Refused: needsPrompt}
	}
	if o.Held = f.heldBack(l); o.Held != "" && len(o.Choices) > 0 {
		o.Guessable = true // as if there were none
	}
	return o, nil
}

// heldBack says why nobody would be asked now, for as long as the next login may take:
// that another login's push is not answered yet is over sooner.
func (f *Factor) heldBack(l factor.Login) string {
	n, err := readNote(l.Note)
	if err != nil {
		return "" // who asks hears of it
	}
	now := (&asking{f: f, l: l}).now()
	n.age(now)
	n.Pending = nil
	if h := n.held(now); h != nil {
		return h.Text
	}
	return ""
}

// offer is what a user can do after Duo has been asked.
func (f *Factor) offer(s *standing) factor.Offer {
	o := factor.Offer{Enrolled: s.Decision != authapi.DecisionEnroll}
	switch s.Decision {
	case authapi.DecisionAuth:
		o.Usable, o.Hint, o.State = true, "passcode", s
		o.Guessable = len(s.choices) == 0
		for i, c := range s.choices {
			if i == 0 {
				o.Enter = c.enter()
			}
			o.Choices = append(o.Choices, c.String())
		}
	case authapi.DecisionAllow:
		if f.AcceptBypass {
			o.Usable, o.Waived = true, waived(s.Message)
		} else {
			o.Refused = notAccepted
		}
	case authapi.DecisionEnroll:
		o.Refused = enrolAt(s.EnrollURL)
	default:
		o.Refused = said("Duo does not let you in", s.Message) + "; ask your administrator"
	}
	return o
}

// needsPrompt: whoever gets a Verified Push has to see its code.
const needsPrompt = "the push has a code to type on the phone, which can't be shown here: it needs a prompt, so log in at a terminal"

// preauth asks Duo what a user can do. token is of a device it has trusted before.
func (f *Factor) preauth(ctx context.Context, l factor.Login, token factor.Secret) (*standing, error) {
	at, began := f.Now(), time.Now()
	a, err := f.Client.Preauth(ctx, authapi.PreauthRequest{
		Person: f.Names.Person(l.User), From: f.from(l), VerifiedPush: true, TrustedDeviceToken: token, Anew: l.Lenient,
	})
	if err != nil {
		return nil, err
	}
	return &standing{Preauth: a, choices: choicesOf(a.Devices), at: at, took: time.Since(began)}, nil
}

func (f *Factor) from(l factor.Login) authapi.From {
	return authapi.From{Addr: l.Client, Hostname: f.Host}
}

// notAccepted is for whom Duo lets in without, where that does not do.
const notAccepted = "Duo asks you for no second factor, which this machine does not accept: use another one, or ask your administrator"

func waived(message string) string { return said("Duo asks for no second factor", message) }

// enrolAt is what to do for who has no account at Duo.
func enrolAt(url string) string {
	if url == "" {
		return "Duo does not know you yet: ask your administrator"
	}
	return "Duo does not know you yet: set up Duo at " + plain(url) + " and log in again"
}

// said is a text of ours with Duo's own words, if it has any.
func said(text, words string) string {
	if words = plain(words); words == "" {
		return text
	}
	return text + ": " + words
}
