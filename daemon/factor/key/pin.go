package key

import (
	"errors"
	"fmt"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/layout"
	"github.com/factord/factord/daemon/wire/agent"
)

// PIN asks a person for the PIN of a key, as factor.Outside.Ask does it: before the key is
// asked, again after a slip, and whether the last try before it is blocked may be spent.
// It is never tried twice by itself.
type PIN struct {
	Key string // "YubiKey 12345678"
	// Tries are those that are left, if that is known: 0 is not known.
	Tries int

	secret factor.Secret
	given  bool
	wrong  bool
	asked  bool // whether the last one may be spent
	yes    bool
}

// errNoPIN: the person has pressed Enter.
var errNoPIN = errors.New("no PIN was given")

// errOTP: the key was touched at the question, and has typed its OTP there. As a PIN it
// would be wrong, and cost a try.
var errOTP = errors.New("an OTP was typed as a PIN")

// minOTP is how many characters a Yubico OTP has at least.
const minOTP = 32

func typedByKey(answer factor.Secret) bool {
	otp, ok := layout.Modhex(answer)
	clear(otp)
	return ok && len(otp) >= minOTP
}

// Next is what stands between the person and the key: a *factor.Question, or a
// *factor.Lapse if they would rather not. nil: the key can be asked.
func (p *PIN) Next() error {
	switch {
	case !p.given:
		return &factor.Question{Text: p.text(), Answer: func(s factor.Secret) {
			p.given = true
			p.secret = append(make(factor.Secret, 0, len(s)), s...)
		}}
	case len(p.secret) == 0:
		return &factor.Lapse{Text: errNoPIN.Error(), Err: errNoPIN}
	case typedByKey(p.secret):
		p.secret.Wipe()
		return &factor.Lapse{Text: "that was the OTP of a touch, and no PIN: it was not tried; type the PIN first", Err: errOTP}
	case p.Tries != 1 || p.yes:
		return nil
	case p.asked:
		return failure(p.Key, &agent.Error{Code: agent.LastTry, Tries: 1, Text: "the last try of the PIN was not used"})
	}
	return &factor.Question{Text: "A wrong PIN would block it now. Type yes to try: ", Echo: true, Answer: func(s factor.Secret) {
		p.asked, p.yes = true, string(s) == "yes"
	}}
}

func (p *PIN) text() string {
	text := "PIN of " + p.Key + ": "
	switch {
	case p.wrong:
		return fmt.Sprintf("Wrong, %s. %s", triesLeft(p.Tries), text)
	case p.Tries > 0 && p.Tries < 3:
		return fmt.Sprintf("PIN of %s, %s: ", p.Key, triesLeft(p.Tries))
	}
	return text
}

// Secret is the PIN, for Job.PIN; it is wiped by Wipe.
func (p *PIN) Secret() factor.Secret { return p.secret }

// LastTry reports whether the person lets the last try be spent.
func (p *PIN) LastTry() bool { return p.yes }

// After takes the error with which a job ended: a wrong PIN is asked for anew. The rest is
// returned as it is.
func (p *PIN) After(err error) error {
	var e *agent.Error
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case e.Code == agent.WrongPIN && e.Tries > 0:
		p.Wipe()
		p.Tries, p.wrong = e.Tries, true
	case e.Code == agent.LastTry && !p.asked:
		p.Tries = 1
	default:
		return err
	}
	return p.Next()
}

// Wipe forgets the PIN.
func (p *PIN) Wipe() {
	p.secret.Wipe()
	*p = PIN{Key: p.Key, Tries: p.Tries}
}
