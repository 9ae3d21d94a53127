package conf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/factord/factord/daemon/policy"
)

const maxRemember = 30 * 24 * time.Hour

// title is the name of a rule in a sentence.
func title(r *policy.Rule) string {
	if strings.HasPrefix(r.Name, "#") {
		return r.Name
	}
	return strconv.Quote(r.Name)
}

func readRule(t *table, number int) policy.Rule {
	defer t.done()
	t.foreign, t.foreignHints = pamDuo, map[string]string{"failmode": pamDuoHints()["failmode"]}
	r := policy.Rule{Name: fmt.Sprintf("#%d", number), Line: t.line()}
	if name, ok := t.text("name"); ok {
		if f := checkRuleName(name); f.what != "" {
			t.fail("name", f.hint, "%s", f.what)
		} else {
			r.Name = name
		}
	}
	readCriteria(t, &r)
	readDemands(t, &r)
	findContradictions(t, &r)
	return r
}

func readCriteria(t *table, r *policy.Rule) {
	r.Services = list(t, "services", readService)
	r.Users = list(t, "users", readUser)
	r.Groups = list(t, "groups", readGroup)
	r.Networks = list(t, "networks", readNetwork)
	r.Callers = list(t, "callers", readCaller)
	if len(r.Callers) == 0 {
		r.Callers = []policy.Caller{policy.CallerRoot}
	}
}

func readCaller(s string) (policy.Caller, flaw) {
	if s == "root" {
		return policy.CallerRoot, flaw{}
	}
	return policy.CallerUser, oneOf(s, []string{"root", "user"})
}

func readDemands(t *table, r *policy.Rule) {
	r.Factors = list(t, "factors", readFactor)
	switch t.word("mode", "require", "enrolled", "audit", "exempt") {
	case "enrolled":
		r.Mode = policy.Enrolled
	case "audit":
		r.Mode = policy.Audit
	case "exempt":
		r.Mode = policy.Exempt
	}
	r.Until, _ = t.date("until")
	r.SubjectCaller = t.word("subject", "user", "caller") == "caller"
	r.Remember, _ = t.duration("remember", false)
	if r.Remember > maxRemember {
		t.fail("remember", "", "is longer than 30 days (%dh)", int(maxRemember.Hours()))
	}
	r.EnrollLogin = t.word("enroll", "login") == "login"
	r.EnrollUntil, _ = t.date("enroll_until")
	r.UnavailableAllow = t.word("unavailable", "deny", "allow") == "allow"
	r.NoBypass = !t.truth("bypass", true)
	r.NoPresence = !t.truth("presence", true)
}

// findContradictions refuses what can't be meant: a key that has no effect beside the others.
func findContradictions(t *table, r *policy.Rule) {
	if t.has("mode") && t.values["mode"] != r.Mode.String() {
		return // reported; what contradicts it can't be told
	}
	if t.has("until") && r.Mode != policy.Enrolled {
		t.fail("until", `it belongs to mode = "enrolled"`, "has no meaning in mode %q", r.Mode)
	}
	if r.Mode == policy.Exempt {
		for _, key := range []string{"factors", "subject", "remember", "enroll", "enroll_until", "unavailable", "bypass", "presence"} {
			if t.has(key) {
				t.fail(key, "leave it out, or choose another mode", "has no meaning in mode %q, which asks for nothing", r.Mode)
			}
		}
		return
	}
	if !t.has("factors") {
		t.fail("factors", `name some, or write mode = "exempt"`, "a rule of mode %q needs factors", r.Mode)
	}
	if t.has("enroll_until") && !t.has("enroll") {
		t.fail("enroll_until", `add enroll = "login"`, "has no meaning without enroll")
	}
	if r.SubjectCaller && slices.Contains(r.Callers, policy.CallerUser) {
		t.fail("subject", `leave "user" out of callers`, "a caller that is not root can't be believed about who calls")
	}
	isDevice := func(f string) bool { return slices.Contains(deviceFactors(), f) }
	if r.NoPresence && len(r.Factors) > 0 && !slices.ContainsFunc(r.Factors, isDevice) {
		t.fail("presence", "the factors of a key are "+strings.Join(deviceFactors(), ", "), "has no meaning without the factor of a key")
	}
}
