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
	at      time.Time // with the monotonic clock, which nobody sets
	spent   bool      // a push has used TxID
}

// codeLife is how old a Verified Push's code may be when the push is sent. Duo keeps
// it for 60 s, and the person needs some of them to type it.
const codeLife = 30 * time.Second

// fresh reports whether a push can still be sent with what Duo said.
func (s *standing) fresh() bool {
	return s.TxID == "" || !s.spent && time.Since(s.at) < codeLife
}

// Offer implements factor.Factor.
func (f *Factor) Offer(ctx context.Context, l factor.Login) (factor.Offer, error) {
	if !l.Wanted {
		return factor.Offer{}, nil
	}
	if l.Discreet {
		return factor.Offer{Usable: true, Undisclosed: true}, nil
	}
	s, err := f.preauth(ctx, l, l.Trust)
	if err != nil {
		return factor.Offer{}, outage(ctx, err)
	}
	o := f.offer(s)
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

// preauth asks Duo what a user can do. token is of a device it has trusted before.
func (f *Factor) preauth(ctx context.Context, l factor.Login, token factor.Secret) (*standing, error) {
	at := time.Now()
	a, err := f.Client.Preauth(ctx, authapi.PreauthRequest{
		Person: f.Names.Person(l.User), From: f.from(l), VerifiedPush: true, TrustedDeviceToken: token,
	})
	if err != nil {
		return nil, err
	}
	return &standing{Preauth: a, choices: choicesOf(a.Devices), at: at}, nil
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
