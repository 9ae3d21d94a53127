package duo

import (
	"context"
	"errors"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/duo/authapi"
	"github.com/factord/factord/daemon/qr"
)

const (
	// activationTime is how long an activation link holds that is shown in a login,
	// which ends sooner.
	activationTime = 10 * time.Minute
	// maxColumns is how wide a QR code may be that is drawn without knowing the
	// terminal.
	maxColumns = 80
	// patience is how long an Enter that comes before Duo has heard of the telephone
	// waits for it, and pollPause how often it is asked after.
	patience  = 5 * time.Second
	pollPause = 500 * time.Millisecond
)

// Start implements factor.Starter: an account at Duo, which a telephone activates. Who
// has an account there and no telephone yet does that at Duo's own pages.
func (f *Factor) Start(ctx context.Context, l factor.Login) (factor.Start, error) {
	person := f.Names.Person(l.User)
	if person.Username != "" {
		e, err := f.Client.Enroll(ctx, person.Username, activationTime)
		if err == nil {
			return f.activation(e), nil
		}
		if !refused(err) {
			return factor.Start{}, outage(ctx, err)
		}
	}
	s, err := f.preauth(ctx, l, nil)
	if err != nil {
		return factor.Start{}, outage(ctx, err)
	}
	url := plain(s.EnrollURL)
	if s.Decision != authapi.DecisionEnroll || url == "" {
		return factor.Start{}, &factor.Outage{Text: "Duo lets nobody set up an account here", Advice: "ask your administrator", Err: errors.New("duo: " + decisionText(s))}
	}
	return factor.Start{
		Show: append(drawn(url, "Open this link with a phone or a browser, and set up Duo there:"), url),
		Ask:  "Set up Duo there, then press Enter", Enter: true,
		Confirm: func(ctx context.Context, l factor.Login, _ factor.Secret) (factor.Claim, error) {
			s, err := f.preauth(ctx, l, nil)
			if err != nil {
				return factor.Claim{}, outage(ctx, err)
			}
			return atPortal(s), nil
		},
	}, nil
}

// setUp is for who has come back from Duo's pages.
const setUp = "Duo is set up: log in again"

// atPortal is the claim of somebody who was sent to Duo's own pages. That the account is
// set up now says nothing of who did it: perhaps the user, elsewhere, while a thief of
// their password waited here. The next login asks for a proof.
func atPortal(s *standing) factor.Claim {
	if s.Decision != authapi.DecisionAuth {
		return started(false, "Duo does not know of it yet")
	}
	return factor.Claim{Settle: func(factor.Records) (factor.Finding, error) {
		return factor.Finding{Outcome: factor.Refused, ID: name, Note: setUp, Log: "the account was set up at Duo's own pages meanwhile, and nothing was proven"}, nil
	}}
}

// refused: there is such a user already, or enrolling is not for this application.
func refused(err error) bool {
	var e *authapi.Error
	return errors.As(err, &e) && e.Kind == authapi.Refused
}

func (f *Factor) activation(e authapi.Enrollment) factor.Start {
	code := string(e.Code)
	show := drawn(code, "Scan this with the app Duo Mobile (Add account, Use QR code):")
	if url := plain(string(e.Barcode)); url != "" {
		show = append(show, "The same as a picture: "+url)
	}
	return factor.Start{
		Show: show, Ask: "Activate Duo Mobile, then press Enter", Enter: true,
		Confirm: func(ctx context.Context, _ factor.Login, _ factor.Secret) (factor.Claim, error) {
			done, err := f.activated(ctx, e)
			if err != nil {
				return factor.Claim{}, outage(ctx, err)
			}
			return started(done == authapi.ActivationDone, "Duo Mobile is not activated yet"), nil
		},
	}
}

// activated asks whether a telephone has activated the account, for a moment: the
// person is often quicker than the news.
func (f *Factor) activated(ctx context.Context, e authapi.Enrollment) (authapi.Activation, error) {
	for end := time.Now().Add(patience); ; {
		state, err := f.Client.EnrollStatus(ctx, e)
		if err != nil || state != authapi.ActivationWaiting || time.Now().After(end) {
			return state, err
		}
		select {
		case <-ctx.Done():
			return state, ctx.Err()
		case <-time.After(pollPause):
		}
	}
}

// started is the claim of somebody who says that it is done.
func started(done bool, otherwise string) factor.Claim {
	return factor.Claim{Settle: func(factor.Records) (factor.Finding, error) {
		if !done {
			return factor.Finding{ID: name, Note: otherwise, Log: otherwise}, nil
		}
		return factor.Finding{Outcome: factor.Proven, ID: name}, nil
	}}
}

// drawn is a QR code under a title, nothing if it is too wide.
func drawn(text, title string) []string {
	code, err := qr.Encode(text)
	if err != nil || code.Width > maxColumns {
		return nil
	}
	return append([]string{title}, code.Lines()...)
}
