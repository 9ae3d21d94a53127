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

// shown is what the person who enrols takes from it: either makes them the user.
type shown struct {
	ID         string `json:"id"` // Duo's username
	Factor     string `json:"factor"`
	Activation string `json:"activation"` // for Duo Mobile, as a QR code
	Link       string `json:"link"`       // to a picture of that
}

// errInactive: the telephone has not activated the account.
type errInactive struct{}

func (errInactive) Error() string {
	return "Duo Mobile is not activated yet\nhint: scan the QR code with it, then press Enter"
}
func (errInactive) Unwrap() error { return factor.ErrFirstCode }

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
	var account authapi.Enrollment
	return factor.Draft{
		Begin: func(ctx context.Context) (any, error) {
			var err error
			if account, err = f.Client.Enroll(ctx, person.Username, activationTime); refused(err) {
				return nil, fmt.Errorf("%q gets no new account at Duo: it may have one (%s)", person.Username, plain(err.Error()))
			}
			if err != nil {
				return nil, outage(ctx, err)
			}
			return shown{ID: person.Username, Factor: name, Activation: string(account.Code), Link: string(account.Barcode)}, nil
		},
		Begun: func() string {
			return fmt.Sprintf("account %q was made at Duo, and not activated yet", person.Username)
		},
		Ask: "Activate Duo Mobile, then press Enter: ",
		Check: func(ctx context.Context, _ factor.Secret) error {
			state, err := f.activated(ctx, account)
			switch {
			case err != nil:
				return outage(ctx, err)
			case state != authapi.ActivationDone:
				return errInactive{}
			}
			return nil
		},
		Commit: func(factor.Records, factor.Secret, time.Time) error { return nil },
	}, nil
}

// Describe implements factor.Describer. There are no records.
func (f *Factor) Describe(factor.Record) (factor.Item, error) {
	return factor.Item{}, errors.New("duo keeps no records")
}
