package duo

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/duo/authapi"
)

// Choices can be typed as words too, as people know them from pam_duo: "push", "sms2",
// "phone 3". The number counts the devices that can do it.

// maxWord bounds a word with its number, in bytes.
const maxWord = 16

// wordIn reads such a word; n counts from 0.
func wordIn(answer factor.Secret) (m authapi.Method, n int, ok bool) {
	if len(answer) > maxWord {
		return "", 0, false
	}
	typed := strings.ToLower(string(answer))
	word := strings.TrimRight(typed, "0123456789")
	number := typed[len(word):]
	switch strings.TrimRight(word, " ") {
	case "push":
		m = authapi.Push
	case "phone", "call":
		m = authapi.Phone
	case "sms":
		m = authapi.SMS
	default:
		return "", 0, false
	}
	if number == "" {
		return m, 0, true
	}
	n, err := strconv.Atoi(number)
	return m, n - 1, err == nil
}

// IsChoice implements factor.Worded.
func (f *Factor) IsChoice(answer factor.Secret) bool {
	_, _, ok := wordIn(answer)
	return ok
}

// chooseWord takes a choice by its word.
func (f *Factor) chooseWord(ctx context.Context, l factor.Login, m authapi.Method, n int) (factor.Claim, error) {
	if n < 0 {
		return factor.Claim{}, factor.ErrNotMine
	}
	s, _ := l.State.(*standing)
	if s == nil && l.Discreet {
		return f.choosing(l, m, n), nil
	}
	if s == nil {
		return factor.Claim{}, factor.ErrNotMine
	}
	c := nth(s.choices, m, n)
	if c == nil {
		return factor.Claim{}, factor.ErrNotMine
	}
	return f.Choose(ctx, l, slices.Index(s.choices, *c))
}

// nth finds the choice of that number, among those of a method if one is named.
func nth(all []choice, m authapi.Method, n int) *choice {
	for i := range all {
		if m != "" && all[i].method != m {
			continue
		}
		if n == 0 {
			return &all[i]
		}
		n--
	}
	return nil
}
