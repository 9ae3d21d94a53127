package duo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/duo/authapi"
)

// kind is what "factorctl enroll" takes.
const kind = "duo"

// Kinds implements factor.Keeper.
func (f *Factor) Kinds() []string { return []string{kind} }

// shown is what the person who enrols takes from it: any of it makes them the user.
type shown struct {
	ID         string `json:"id"` // Duo's username
	Factor     string `json:"factor"`
	Activation string `json:"activation,omitempty"` // for Duo Mobile, as a QR code
	Link       string `json:"link"`                 // to a picture of that, or to Duo's own pages
}

// errUnfinished: the telephone has not activated the account. Its text is a hint's too.
type errUnfinished string

func (e errUnfinished) Error() string { return string(e) }
func (errUnfinished) Unwrap() error   { return factor.ErrFirstCode }

const (
	inactive = errUnfinished("Duo Mobile is not activated yet\nhint: scan the QR code with it, then press Enter")
	unknown  = errUnfinished("Duo does not know of it yet\nhint: set it up there, then press Enter")
)

// Enroll implements factor.Keeper. The account is at Duo, and nothing is kept here: a
// record could only say what Duo may have changed since.
func (f *Factor) Enroll(e factor.Enrolment) (factor.Draft, error) {
	person := f.Names.Person(e.User)
	switch {
	case person.Username == "":
		return factor.Draft{}, errors.New("user_id_map has this user: set up the phone in Duo's Admin Panel")
	case len(e.Seed) > 0 || len(e.Options) > 0 || e.Name != "":
		return factor.Draft{}, errors.New("duo takes no name, secret or property")
	}
	n := &enrolling{f: f, user: e.User, username: person.Username}
	return factor.Draft{
		Begin: n.begin, Begun: n.begun, Check: n.check,
		Ask:    "Set up Duo Mobile, then press Enter: ",
		Commit: func(factor.Records, factor.Secret, time.Time) error { return nil },
	}, nil
}

// enrolling is the setting up of one account.
type enrolling struct {
	f              *Factor
	user, username string
	account        authapi.Enrollment // the new one; zero: it was there already
}

// begin makes the account. One that is there without a telephone, perhaps since its
// setting up was broken off, goes on at Duo's own pages: a code that activates it is
// shown once.
func (n *enrolling) begin(ctx context.Context, _ func(string)) (any, error) {
	account, err := n.f.Client.Enroll(ctx, n.username, activationTime)
	if err == nil {
		n.account = account
		return shown{ID: n.username, Factor: name, Activation: string(account.Code), Link: string(account.Barcode)}, nil
	}
	if !refused(err) {
		return nil, outage(ctx, err)
	}
	s, unheard := n.f.preauth(ctx, factor.Login{User: n.user}, nil)
	switch {
	case unheard != nil:
		return nil, outage(ctx, unheard)
	case s.Decision == authapi.DecisionAuth:
		return nil, factor.Refusef("%q is set up at Duo already\nhint: factorctl test --user %s --service sshd tries it; another phone is added in Duo's Admin Panel", n.username, n.user)
	case s.Decision == authapi.DecisionEnroll && plain(s.EnrollURL) != "":
		return shown{ID: n.username, Factor: name, Link: plain(s.EnrollURL)}, nil
	}
	return nil, factor.Refusef("%q gets no new account at Duo (%s): %s\nhint: look at the user in Duo's Admin Panel", n.username, plain(err.Error()), decisionText(s))
}

func (n *enrolling) begun() string {
	if n.account.UserID == "" {
		return ""
	}
	return fmt.Sprintf("account %q was made at Duo, and not activated yet", n.username)
}

// check asks whether it is done.
func (n *enrolling) check(ctx context.Context, _ func(string), _ factor.Secret) error {
	if n.account.UserID == "" {
		s, err := n.f.preauth(ctx, factor.Login{User: n.user}, nil)
		switch {
		case err != nil:
			return outage(ctx, err)
		case s.Decision != authapi.DecisionAuth:
			return unknown
		}
		return nil
	}
	state, err := n.f.activated(ctx, n.account)
	switch {
	case err != nil:
		return outage(ctx, err)
	case state != authapi.ActivationDone:
		return inactive
	}
	return nil
}

// Describe implements factor.Describer. There are no records.
func (f *Factor) Describe(factor.Record) (factor.Item, error) {
	return factor.Item{}, errors.New("duo keeps no records")
}
