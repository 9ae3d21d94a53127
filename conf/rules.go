package conf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/factord/factord/daemon/policy"
)

// maxRules bounds the search for unreachable ones, which compares each with each.
const maxRules = 1000

func readRules(file *table, known Factors) policy.Rules {
	tables := file.sections("rule")
	if len(tables) > maxRules {
		file.report.fail(tables[maxRules].line(), "rule", "", fmt.Sprintf("there are more than %d rules", maxRules))
		return nil
	}
	var rules policy.Rules
	var sound []bool
	for i, t := range tables {
		before := len(file.report.errors)
		rules = append(rules, readRule(t, i+1))
		sound = append(sound, len(file.report.errors) == before)
		warnUnknownFactors(t, &rules[i], known)
		warnUserRule(t, &rules[i])
		warnWithoutEffect(t, &rules[i], known)
		warnEnrolment(t, &rules[i])
		warnAfar(t, &rules[i])
	}
	if len(tables) == 0 && !file.has("rule") {
		file.report.warn(0, "no rule: every login is refused")
	}
	checkNames(tables, rules)
	checkDuo(file, tables, rules)
	checkReachable(tables, rules, sound)
	return rules
}

// warnWithoutEffect names what is legal to write and serves nothing yet. Each of
// these makes a rule laxer or easier, so passing it over is the strict side.
func warnWithoutEffect(t *table, r *policy.Rule, known Factors) {
	for _, k := range []struct{ key, why string }{
		{"unavailable", "no factor asks a server"}, {"presence", "no factor is a key"},
	} {
		works := func(f string) bool {
			return slices.Contains(known, f) && (f == "duo") == (k.key == "unavailable")
		}
		if t.has(k.key) && !slices.ContainsFunc(append(deviceFactors(), "duo"), works) {
			t.report.warn(t.line(k.key), "rule %s: %s has no effect in this factord: %s", title(r), k.key, k.why)
		}
	}
}

// warnEnrolment tells why nobody can set up a factor in the logins of a rule that
// asks for it.
func warnEnrolment(t *table, r *policy.Rule) {
	vain := func(why string) {
		t.report.warn(t.line("enroll"), "rule %s: enroll has no effect: %s", title(r), why)
	}
	switch {
	case !r.EnrollLogin || len(r.Factors) == 0:
	case r.SubjectCaller:
		vain(`with subject = "caller" the first factor may be another person's`)
	case !slices.ContainsFunc(r.Factors, func(f string) bool { return slices.Contains(loginFactors(), f) }):
		vain("of its factors none can be set up in a login, as " + strings.Join(loginFactors(), ", ") + " can")
	}
}

// warnAfar tells of a rule that takes only keys which are plugged in here, for logins that
// can only come from elsewhere: nobody is let in by it.
func warnAfar(t *table, r *policy.Rule) {
	here := func(f string) bool { return slices.Contains(deviceFactors(), f) }
	if len(r.Factors) == 0 || !allOf(r.Factors, here) || r.Mode == policy.Exempt {
		return
	}
	vain := func(key, why string) {
		t.report.warn(t.line(key), "rule %s: %s, and its factors are keys that are plugged in here: nobody can use them from there", title(r), why)
	}
	switch {
	case len(r.Services) > 0 && allOf(r.Services, func(s string) bool { return s == "sshd" }):
		vain("services", "sshd serves logins from elsewhere")
	case len(r.Networks) > 0 && allOf(r.Networks, func(n policy.Network) bool { return !n.Local }):
		vain("networks", `without "local" its networks are elsewhere`)
	}
}

func allOf[T any](all []T, is func(T) bool) bool {
	return !slices.ContainsFunc(all, func(one T) bool { return !is(one) })
}

// warnUserRule tells what a rule asks for in vain, because it is for callers that are not root.
func warnUserRule(t *table, r *policy.Rule) {
	if len(r.Callers) != 1 || r.Callers[0] != policy.CallerUser {
		return
	}
	vain := func(key string, written bool) {
		if written {
			t.report.warn(t.line(key), "rule %s: %s has no effect for a caller that is not root", title(r), key)
		}
	}
	vain("remember", r.Remember != 0)
	vain("unavailable", r.UnavailableAllow)
	vain("enroll", r.EnrollLogin)
}

func checkNames(tables []*table, rules policy.Rules) {
	lines := make(map[string]int)
	for i := range rules {
		r := &rules[i]
		if first, taken := lines[r.Name]; taken {
			tables[i].fail("name", "", "%q is the name of the rule in line %d too", r.Name, first)
			continue
		}
		lines[r.Name] = r.Line
	}
}

// checkReachable reports rules that earlier ones leave nothing to match. A rule with an error is not compared: what it
// is meant to match is not known.
func checkReachable(tables []*table, rules policy.Rules, sound []bool) {
	var earlier policy.Rules
	for i := range rules {
		if !sound[i] {
			continue
		}
		if by := earlier.Covering(&rules[i]); len(by) > 0 {
			tables[i].report.fail(rules[i].Line, "rule", neverReached(len(by)), title(&rules[i])+" is never reached: "+coverers(by))
		}
		earlier = append(earlier, rules[i])
	}
}

// neverReached says what to do about a rule that n others cover.
func neverReached(n int) string {
	if n == 1 {
		return "move it up, or remove it"
	}
	return "change those rules, or move it up, or remove it"
}

// coverers names the rules that cover another.
func coverers(by []*policy.Rule) string {
	var names []string
	for _, r := range by {
		names = append(names, fmt.Sprintf("%s in line %d", title(r), r.Line))
	}
	if len(by) == 1 {
		return names[0] + " matches all that it matches"
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last] + " together match all that it matches"
}
