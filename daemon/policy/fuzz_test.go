package policy

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"
)

// chooser makes rules and requests out of fuzzed bytes, from few values, so that they often meet.
type chooser []byte

func (c *chooser) one(n int) int {
	if len(*c) == 0 {
		return 0
	}
	b := (*c)[0]
	*c = (*c)[1:]
	return int(b) % n
}

func (c *chooser) some(words ...string) []string {
	var list []string
	bits := c.one(1 << len(words))
	for i, w := range words {
		if bits&(1<<i) != 0 {
			list = append(list, w)
		}
	}
	return list
}

func (c *chooser) date() time.Time {
	return []time.Time{{}, newYear, newYear.Add(time.Hour)}[c.one(3)]
}

func (c *chooser) rule() Rule {
	r := Rule{
		Services: c.some("sshd", "sudo"),
		Users:    c.some("alice", "bob"),
		Groups:   c.some("wheel", "adm"),
		Networks: nets(c.some("local", "10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0")...),
		Factors:  c.some("totp", "backup"),
		Mode:     Mode(c.one(5)),
		Until:    c.date(),
		Remember: time.Duration(c.one(2)),
	}
	for _, w := range c.some("user", "root") {
		r.Callers = append(r.Callers, map[string]Caller{"user": CallerUser, "root": CallerRoot}[w])
	}
	flags := c.one(64)
	r.SubjectCaller, r.EnrollLogin, r.UnavailableAllow = flags&1 != 0, flags&2 != 0, flags&4 != 0
	r.NoBypass, r.NoPresence = flags&8 != 0, flags&16 != 0
	if flags&32 != 0 {
		r.Networks = append(r.Networks, Network{})
	}
	return r
}

func (c *chooser) request() Request {
	q := Request{
		User:      []string{"alice", "bob", ""}[c.one(3)],
		Service:   []string{"sshd", "sudo", "su"}[c.one(3)],
		Caller:    Caller(c.one(3)),
		AddrKnown: c.one(2) == 1,
		Local:     Known(c.one(4)),
		Groups:    map[string]Membership{"wheel": Membership(c.one(4)), "adm": Membership(c.one(4))},
		Now:       c.date(),
	}
	q.Addr = []netip.Addr{{}, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::ffff:10.0.0.1"),
		netip.MustParseAddr("2001:db8::1%eth0"), netip.MustParseAddr("192.0.2.1")}[c.one(5)]
	return q
}

// strictness of a plan; an audit and an exempt plan both let everybody in.
func strictness(p Plan) int {
	switch {
	case p.Refuse != NotRefused:
		return 3
	case p.Mode == Require:
		return 2
	case p.Mode == Enrolled:
		return 1
	default:
		return 0
	}
}

func FuzzPlan(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 2, 3, 3, 0, 0, 2, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1, 1, 1, 2, 2, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		c := chooser(data)
		rules := make(Rules, c.one(6))
		for i := range rules {
			rules[i] = c.rule()
		}
		q := c.request()
		p := rules.Plan(q)
		checkPlan(t, rules, q, p)

		less := q
		less.Groups = map[string]Membership{"wheel": q.Groups["wheel"], "adm": q.Groups["adm"]}
		forget := c.one(16)
		for bit, unknown := range []func(){
			func() { less.AddrKnown = false },
			func() { less.Local = Unknown },
			func() { delete(less.Groups, "wheel") },
			func() { delete(less.Groups, "adm") },
		} {
			if forget&(1<<bit) != 0 {
				unknown()
			}
		}
		if worse := rules.Plan(less); strictness(worse) < strictness(p) {
			t.Errorf("knowing less made it easier\nknown:   %+v\nunknown: %+v", p, worse)
		}
	})
}

func checkPlan(t *testing.T, rules Rules, q Request, p Plan) {
	if q.Caller != CallerRoot && (p.Remember != 0 || p.UnavailableAllow || p.SubjectCaller) {
		t.Errorf("a user got what is root's: %+v", p)
	}
	if p.Refuse != NotRefused && (p.Factors != nil || p.Bypass || p.EnrollLogin || p.UnavailableAllow || p.Remember != 0 || p.Mode != Require) {
		t.Errorf("a refusal grants something: %+v", p)
	}
	if p.Refuse == NotRefused && p.Rule == nil || p.Refuse == RefuseNoRule && p.Rule != nil {
		t.Errorf("refusal and rule don't fit: %+v", p)
	}
	if (p.Refuse == RefuseUnavailable) != (p.Missing != "") {
		t.Errorf("unavailable and what is missing don't fit: %+v", p)
	}
	if p.Mode == Exempt && (p.Factors != nil || p.Bypass || p.EnrollLogin || p.Remember != 0) {
		t.Errorf("an exempt plan asks for something: %+v", p)
	}
	if p.Rule != nil && len(p.Trace) > 0 && p.Rule != &rules[len(p.Trace)-1] {
		t.Errorf("the trace does not end at the rule: %+v", p)
	}
	for i := range rules {
		if p.Refuse == NotRefused && p.Rule == &rules[i] {
			break
		}
		if p.Refuse == NotRefused && rules[i].Covers(p.Rule) && rules[i].criteria(&q).match == No {
			t.Errorf("rule %d covers the one that matched, but does not match", i)
		}
	}
	if p.Refuse == NotRefused && len(p.Trace) > 0 {
		by := rules[:len(p.Trace)-1].Covering(p.Rule)
		if len(by) > 0 && !slices.ContainsFunc(by, func(r *Rule) bool { return r.criteria(&q).match != No }) {
			t.Errorf("%d rules together cover the one that matched, and none matches", len(by))
		}
	}
	needed := q
	needed.Groups = make(map[string]Membership)
	for _, g := range rules.GroupsNeeded(q.Service, q.User, q.Caller) {
		needed.Groups[g] = q.Groups[g]
	}
	again := rules.Plan(needed)
	again.Foreign, p.Foreign = nil, nil // a hint for the log, where the groups happen to be known
	if !reflect.DeepEqual(again, p) {
		t.Errorf("with the needed groups only: %+v, with all: %+v", again, p)
	}
}
