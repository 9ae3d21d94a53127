package duo

import (
	"bytes"
	"context"
	"strings"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/duo/authapi"
)

// Lengths of what Duo takes as a passcode: digits of apps, tokens, SMS and
// administrators, and the text of a YubiKey in Duo's keeping.
const (
	minDigits, maxGuess, maxDigits = 6, 8, 16

	modhex       = "cbdefghijklnrtuv"
	modhexLength = 44
)

// passcodeIn returns the passcode in an answer, which may be written with spaces.
func passcodeIn(answer factor.Secret) (code factor.Secret, guessable, ok bool) {
	code = bytes.ReplaceAll(answer, []byte{' '}, nil)
	if code.Digits(minDigits, maxDigits) {
		return code, code.Digits(minDigits, maxGuess), true
	}
	lower := bytes.ToLower(answer)
	if len(lower) == modhexLength && len(bytes.Trim(lower, modhex)) == 0 {
		return lower, false, true
	}
	return nil, false, false
}

// Verify implements factor.Factor. Duo spends passcodes; of two logins that show the
// same one it takes one.
func (f *Factor) Verify(ctx context.Context, l factor.Login, answer factor.Secret) (factor.Claim, error) {
	if m, n, ok := wordIn(answer); ok {
		return f.chooseWord(ctx, l, m, n)
	}
	code, guessable, ok := passcodeIn(answer)
	if !ok {
		return factor.Claim{}, factor.ErrNotMine
	}
	a := &asking{f: f, l: l}
	return factor.Claim{
		Guessable: guessable,
		Outside: &factor.Outside{Ask: func(ctx context.Context) (*factor.Wait, error) {
			defer code.Wipe()
			return nil, a.passcode(ctx, code)
		}},
		Settle: a.settle,
	}, nil
}

// passcode asks Duo about one. Of whom Duo asks nothing it would take any, so that is
// asked first, and again if Duo says that it was none of the user's own: an account that
// needs none by now looks like a code of an administrator's.
func (a *asking) passcode(login context.Context, code factor.Secret) error {
	a.choice.method = authapi.Passcode
	ctx, cancel := context.WithDeadline(login, a.end())
	defer cancel()
	s, err := a.known(ctx)
	if err != nil {
		return outage(login, err)
	}
	if s.Decision != authapi.DecisionAuth {
		a.refuse(s, factor.Wrong)
		return nil
	}
	v, err := a.f.Client.Auth(ctx, authapi.AuthRequest{
		Person: a.f.Names.Person(a.l.User), From: a.f.from(a.l), Method: authapi.Passcode, Passcode: code,
	})
	if err == nil && v.Outcome == authapi.OutcomeAllow && v.Status == "bypass" {
		s, err = a.f.preauth(ctx, a.l, nil)
	}
	if err != nil {
		return outage(login, err)
	}
	if s.Decision != authapi.DecisionAuth {
		a.refuse(s, factor.Wrong)
		return nil
	}
	a.judge(login, v)
	return nil
}

// describe is a verdict of Duo's for the log.
func describe(c choice, v authapi.Verdict) string {
	words := []string{"Duo: " + plain(v.Status), "by " + string(c.method)}
	if c.device != "" {
		words = append(words, "to "+c.device)
	}
	if v.TxID != "" {
		words = append(words, "txid "+plain(v.TxID))
	}
	return strings.Join(words, ", ")
}
