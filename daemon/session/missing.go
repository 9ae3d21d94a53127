package session

import (
	"errors"
	"slices"
	"strings"

	"github.com/factord/factord/daemon/factor"
)

// keptElsewhere reports whether what a user has of a factor is for somebody outside to
// say, who is not always asked.
func keptElsewhere(f factor.Factor) bool {
	_, asks := f.(factor.Asker)
	return asks && !isLocal(f)
}

// elsewhere are the factors of which the records here do not tell who has them.
func (s *Settings) elsewhere() []string {
	names := []string{}
	for _, f := range s.Factors {
		if keptElsewhere(f) {
			names = append(names, f.Name())
		}
	}
	return names
}

// hasAny is whether the user has any factor; nil: that is not known.
func (a *attempt) hasAny() *bool {
	if s := &a.standing; s.enrolled || s.asked || !a.known {
		return &s.enrolled
	}
	return nil
}

// missing says which of the rule's factors are not offered though it is not the user's
// records here that are to blame, and why.
func (a *attempt) missing() map[string]string {
	why := map[string]string{}
	for _, name := range a.plan.Factors {
		if text := a.whyMissing(name); text != "" {
			why[name] = text
		}
	}
	return why
}

func (a *attempt) whyMissing(name string) string {
	s := &a.standing
	built := slices.IndexFunc(a.Factors, func(f factor.Factor) bool { return f.Name() == name })
	if built < 0 {
		return "not configured, or not in this factord"
	}
	if i := slices.IndexFunc(s.offers, func(o offer) bool { return o.factor.Name() == name }); i >= 0 {
		return s.offers[i].Held
	}
	for _, o := range s.outages {
		switch {
		case o.factor != name:
		case errors.Is(o.err, errAlone):
			return "not known: asked only when root explains"
		default:
			return outageText(o.err) + " (" + strings.TrimPrefix(o.err.Error(), name+": ") + ")"
		}
	}
	if isLocal(a.Factors[built]) && len(s.records[name]) > 0 && !a.local() {
		return a.whyNotLocal()
	}
	if i := slices.IndexFunc(s.useless, func(u useless) bool { return u.factor == name }); i >= 0 {
		return s.useless[i].why
	}
	return ""
}
