package totp

import (
	"bytes"
	"context"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/layout"
	"github.com/factord/factord/daemon/factor/record"
)

// attempt is one answer under decision.
type attempt struct {
	user   string // canonical name, for the log
	now    time.Time
	window int64 // steps on each side
	// won: another token has accepted the answer. This one then spends what
	// the code stands for, and proves nothing.
	won bool
}

// ruling is what one token says of an answer.
type ruling struct {
	outcome factor.Outcome
	changed bool   // the token has to be kept
	note    string // for the person: why no code counts
	log     string
}

// Verify implements factor.Factor. An answer of n digits goes to all tokens with
// n digits. If a record can't be read, it is not known whether an answer of
// digits is ours, and the attempt ends; other answers pass on, so that a backup
// code still works.
func (f *Factor) Verify(_ context.Context, l factor.Login, answer factor.Secret) (factor.Claim, error) {
	tokens, err := record.DecodeAll[token](l.Records)
	if err != nil {
		if code, ok := layout.Digits(unspaced(answer)); ok && len(code) >= minDigits && len(code) <= maxDigits {
			return factor.Claim{}, err
		}
		return factor.Claim{}, factor.ErrNotMine
	}
	for _, t := range tokens {
		if _, mine := t.codeIn(answer); mine {
			kept := bytes.Clone(answer)
			return factor.Claim{Guessable: true, Settle: func(rs factor.Records) (factor.Finding, error) {
				defer clear(kept)
				return f.settle(rs, kept, l)
			}}, nil
		}
	}
	return factor.Claim{}, factor.ErrNotMine
}

// settle asks every token of the user, as kept now, in the order of numbers. The
// first that proves wins; replayed beats wrong.
func (f *Factor) settle(rs factor.Records, answer factor.Secret, l factor.Login) (factor.Finding, error) {
	var finding factor.Finding
	list, err := rs.List()
	if err != nil {
		return finding, err
	}
	recall(list, l.Records)
	tokens, err := record.DecodeAll[token](list)
	if err != nil {
		return finding, err
	}
	try := attempt{user: l.User, now: l.Now, window: f.window}
	for _, t := range tokens {
		code, mine := t.codeIn(answer)
		if !mine {
			continue
		}
		r, err := t.settle(code, try)
		if err != nil {
			return factor.Finding{}, err
		}
		if r.changed {
			if err := record.Put(rs, t); err != nil {
				return factor.Finding{}, err
			}
		}
		switch {
		case r.outcome > finding.Outcome, r.outcome == finding.Outcome && finding.Log == "" && r.log != "":
			finding = factor.Finding{Outcome: r.outcome, ID: t.ID, Note: r.note, Log: r.log}
		case r.outcome == finding.Outcome:
			finding.Log = join(finding.Log, r.log)
		}
		try.won = finding.Outcome == factor.Proven
	}
	return finding, nil
}

func (t *token) settle(code factor.Secret, try attempt) (ruling, error) {
	if t.HOTP != nil {
		return t.settleCounter(code, try)
	}
	return t.settleStep(code, try)
}

// join puts two remarks for the log into one.
func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + "; " + b
}
