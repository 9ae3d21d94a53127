package policy

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	newYear = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	root    = []Caller{CallerRoot}
	anybody = []Caller{CallerRoot, CallerUser}
)

func nets(list ...string) []Network {
	var networks []Network
	for _, s := range list {
		if s == "local" {
			networks = append(networks, Network{Local: true})
			continue
		}
		networks = append(networks, Network{Prefix: netip.MustParsePrefix(s)})
	}
	return networks
}

// ask builds a request of root about a login at noon before the new year, from words such as "user=alice", "wheel" (a
// member of), "-wheel" (not a member of) and "caller=user".
func ask(words string) Request {
	q := Request{Service: "sshd", User: "alice", Caller: CallerRoot, AddrKnown: true, Local: No,
		Groups: map[string]Membership{}, Now: newYear.Add(-12 * time.Hour)}
	for _, w := range strings.Fields(words) {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "user":
			q.User = value
		case "service":
			q.Service = value
		case "rhost":
			q.Addr, q.AddrKnown = ParseAddr(value)
		case "caller":
			q.Caller = map[string]Caller{"root": CallerRoot, "user": CallerUser}[value]
		case "seat":
			q.Local = map[string]Known{"yes": Yes, "no": No, "unknown": Unknown}[value]
		case "time":
			q.Now = map[string]time.Time{"newyear": newYear, "none": {}}[value]
		default:
			name, not := strings.CutPrefix(w, "-")
			q.Groups[name] = Member
			if not {
				q.Groups[name] = NotMember
			}
		}
	}
	return q
}

// says puts the decision of a plan into words: "require corp", "no-rule", "unavailable seat".
func says(p Plan) string {
	switch p.Refuse {
	case NotRefused:
		return p.Mode.String() + " " + p.Rule.Name
	case RefuseUnavailable:
		return "unavailable " + p.Missing
	default:
		return p.Refuse.String()
	}
}

func TestPlan(t *testing.T) {
	sudo := Rule{Name: "sudo", Services: []string{"sudo", "su"}, Callers: root}
	wheel := Rule{Name: "wheel", Groups: []string{"wheel", "adm"}, Callers: root}
	alice := Rule{Name: "alice", Users: []string{"alice", "bob"}, Callers: root}
	corp := Rule{Name: "corp", Networks: nets("10.0.0.0/8", "2001:db8::/32"), Callers: root}
	seat := Rule{Name: "seat", Networks: nets("local"), Callers: root}
	desk := Rule{Name: "desk", Networks: nets("local", "10.0.0.0/8"), Callers: anybody}
	locker := Rule{Name: "locker", Services: []string{"swaylock"}, Callers: []Caller{CallerUser}}
	rest := Rule{Name: "rest", Callers: anybody}
	in := func(m Mode, r Rule) Rule { r.Mode = m; return r }
	both := Rule{Name: "both", Groups: []string{"wheel"}, Networks: nets("10.0.0.0/8"), Callers: root}

	tests := []struct {
		rules Rules
		ask   string
		want  string
	}{
		// The first rule that matches decides; none is a refusal.
		{nil, "user=root", "no-rule"},
		{Rules{{Name: "zero"}}, "", "no-rule"},
		{Rules{sudo, rest}, "service=sudo", "require sudo"},
		{Rules{sudo, rest}, "service=sshd", "require rest"},
		{Rules{in(Exempt, rest), sudo}, "service=sudo", "exempt rest"},
		{Rules{sudo}, "service=sudo-i", "no-rule"},
		{Rules{sudo}, "service=SUDO", "no-rule"},

		// Within a list any entry does.
		{Rules{alice}, "user=bob", "require alice"},
		{Rules{alice}, "user=carol", "no-rule"},
		{Rules{wheel}, "-wheel adm", "require wheel"},
		{Rules{wheel}, "-wheel -adm", "no-rule"},

		// A group that can't be looked up refuses in any mode, unless the rule can't match or matches anyway.
		{Rules{wheel}, "wheel", "require wheel"},
		{Rules{wheel, rest}, "-wheel", `unavailable group "adm"`},
		{Rules{in(Exempt, wheel), rest}, "-wheel", `unavailable group "adm"`},
		{Rules{in(Audit, wheel), rest}, "", `unavailable group "wheel"`},
		{Rules{in(Enrolled, both), rest}, "rhost=localhost", `unavailable group "wheel"`},
		{Rules{in(Enrolled, both), rest}, "rhost=192.0.2.1", "require rest"},
		{Rules{in(Enrolled, both), rest}, "rhost=localhost -wheel", "require rest"},

		// Networks.
		{Rules{corp}, "rhost=10.1.2.3", "require corp"},
		{Rules{corp}, "rhost=::ffff:10.1.2.3", "require corp"},
		{Rules{corp}, "rhost=2001:db8::7%eth0", "require corp"},
		{Rules{corp}, "rhost=11.1.2.3", "no-rule"},
		{Rules{corp}, "rhost=", "no-rule"},
		{Rules{corp}, "rhost= seat=yes", "no-rule"},
		{Rules{seat}, "seat=yes", "require seat"},
		{Rules{seat}, "seat=no", "no-rule"},
		{Rules{seat}, "seat=no rhost=127.0.0.1", "no-rule"},
		{Rules{{Name: "zero", Networks: []Network{{}}, Callers: root}}, "rhost=localhost", "no-rule"},

		// An unknown address or seat: a require rule refuses, any laxer one is left out.
		{Rules{corp, rest}, "rhost=host.example.com", "unavailable client address"},
		{Rules{in(Exempt, corp), rest}, "rhost=host.example.com", "require rest"},
		{Rules{in(Audit, corp), rest}, "rhost=UNKNOWN", "require rest"},
		{Rules{in(Enrolled, corp), rest}, "rhost=10.0.0.1.", "require rest"},
		{Rules{in(Exempt, corp)}, "rhost=host.example.com", "no-rule"},
		{Rules{seat, in(Exempt, rest)}, "seat=unknown", "unavailable seat"},
		{Rules{in(Exempt, seat), rest}, "seat=unknown", "require rest"},
		{Rules{in(Exempt, desk), rest}, "seat=unknown rhost=10.0.0.1", "exempt desk"},
		{Rules{in(Exempt, desk), rest}, "seat=yes rhost=somewhere", "exempt desk"},
		{Rules{in(Exempt, desk), rest}, "seat=no rhost=somewhere", "require rest"},
		{Rules{desk, in(Exempt, rest)}, "seat=no rhost=somewhere", "unavailable client address"},

		// An enrolled rule that is left out does not make room for a laxer one.
		{Rules{in(Enrolled, corp), in(Exempt, rest)}, "rhost=somewhere", "unavailable client address"},
		{Rules{in(Enrolled, corp), in(Audit, rest)}, "rhost=somewhere", "unavailable client address"},
		{Rules{in(Enrolled, corp), in(Enrolled, rest)}, "rhost=somewhere", "enrolled rest"},
		{Rules{in(Enrolled, corp), in(Exempt, rest)}, "rhost=192.0.2.1", "exempt rest"},
		{Rules{in(Audit, corp), in(Exempt, rest)}, "rhost=somewhere", "exempt rest"},

		// A caller that is not root.
		{Rules{sudo}, "service=sudo caller=user", "no-rule"},
		{Rules{in(Exempt, wheel)}, "caller=user", "no-rule"},
		{Rules{locker}, "service=swaylock caller=user", "require locker"},
		{Rules{locker}, "service=swaylock caller=root", "no-rule"},
		{Rules{in(Exempt, locker)}, "service=swaylock caller=user", "exempt locker"},
		{Rules{in(Exempt, desk), rest}, "caller=user seat=unknown", "require rest"},

		// Enrolled until a date. No time at all counts as past it.
		{Rules{{Name: "r", Callers: root, Mode: Enrolled}}, "time=newyear", "enrolled r"},
		{Rules{{Name: "r", Callers: root, Mode: Enrolled}}, "time=none", "enrolled r"},
		{Rules{{Name: "r", Callers: root, Mode: Enrolled, Until: newYear}}, "", "enrolled r"},
		{Rules{{Name: "r", Callers: root, Mode: Enrolled, Until: newYear}}, "time=newyear", "require r"},
		{Rules{{Name: "r", Callers: root, Mode: Enrolled, Until: newYear}}, "time=none", "require r"},
		{Rules{{Name: "r", Callers: root, Mode: Mode(77)}}, "", "require r"},
		{Rules{{Name: "r", Callers: root, Mode: Enrolled, Until: newYear, Networks: nets("10.0.0.0/8")}},
			"time=newyear rhost=somewhere", "unavailable client address"},
	}
	for _, tt := range tests {
		var names []string
		for _, r := range tt.rules {
			names = append(names, r.Mode.String()+" "+r.Name)
		}
		if got := says(tt.rules.Plan(ask(tt.ask))); got != tt.want {
			t.Errorf("rules %q, login %q: %s, want %s", names, tt.ask, got, tt.want)
		}
	}
}

func TestPlanDemands(t *testing.T) {
	full := Rule{Name: "full", Callers: anybody, Factors: []string{"piv", "totp"}, Remember: time.Hour, SubjectCaller: true,
		EnrollLogin: true, EnrollUntil: newYear, UnavailableAllow: true}
	bare := Rule{Name: "bare", Callers: anybody, Factors: []string{"touch"}, NoBypass: true, NoPresence: true}
	exempt := full
	exempt.Mode = Exempt
	zoned := Rule{Name: "net", Callers: root, Networks: nets("::/0")}

	tests := []struct {
		rule Rule
		ask  string
		want Plan
	}{
		{full, "", Plan{Refuse: NotRefused, Factors: []string{"piv", "totp"}, Bypass: true, Presence: true,
			Remember: time.Hour, EnrollLogin: true, UnavailableAllow: true, SubjectCaller: true}},
		{full, "time=newyear", Plan{Refuse: NotRefused, Factors: []string{"piv", "totp"}, Bypass: true, Presence: true,
			Remember: time.Hour, UnavailableAllow: true, SubjectCaller: true}},
		{full, "caller=user", Plan{Refuse: NotRefused, Factors: []string{"piv", "totp"}, Bypass: true, Presence: true,
			EnrollLogin: true}},
		{bare, "", Plan{Refuse: NotRefused, Factors: []string{"touch"}}},
		{exempt, "", Plan{Refuse: NotRefused, Mode: Exempt, Presence: true}},
		{zoned, "rhost=somewhere", Plan{Refuse: RefuseUnavailable, Missing: "client address"}},
	}
	for _, tt := range tests {
		got := Rules{tt.rule}.Plan(ask(tt.ask))
		if got.Rule == nil || got.Rule.Name != tt.rule.Name || len(got.Trace) != 1 {
			t.Errorf("rule %s, login %q: rule %v, trace %v", tt.rule.Name, tt.ask, got.Rule, got.Trace)
		}
		got.Rule, got.Trace = nil, nil
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("rule %s, login %q:\n got %+v\nwant %+v", tt.rule.Name, tt.ask, got, tt.want)
		}
	}
	if zero := Rules(nil).Plan(Request{}); !reflect.DeepEqual(zero, Plan{}) {
		t.Errorf("no rules: %+v, want the zero plan", zero)
	}
}

func TestTrace(t *testing.T) {
	tests := []struct {
		rule Rule
		ask  string
		want string
	}{
		{Rule{Services: []string{"sshd"}, Callers: root}, "service=sudo", `service "sudo" is not in services ["sshd"]`},
		{Rule{Callers: []Caller{CallerUser}}, "", `caller is root, rule is for user`},
		{Rule{Callers: root}, "caller=user", `caller is user, rule is for root`},
		{Rule{}, "", `caller is root, rule is for nobody`},
		{Rule{Callers: root, Users: []string{"bob", "eve"}}, "", `"alice" is not in users ["bob", "eve"]`},
		{Rule{Callers: root, Groups: []string{"wheel"}}, "-wheel", `"alice" is in none of groups ["wheel"]`},
		{Rule{Callers: root, Groups: []string{"wheel"}}, "", `group "wheel" can't be looked up: refused, whatever the rule says`},
		{Rule{Callers: root, Networks: nets("local", "11.0.0.0/8")}, "rhost=::ffff:10.0.0.1",
			`client 10.0.0.1 is in none of networks [local, 11.0.0.0/8]`},
		{Rule{Callers: root, Networks: nets("::/0")}, "", `client (no address) is in none of networks [::/0]`},
		{Rule{Callers: root, Networks: nets("local")}, "rhost=x", `client (address unknown) is in none of networks [local]`},
		{Rule{Callers: root, Networks: nets("::/0"), Mode: Exempt}, "rhost=x", `client address unknown: an exempt rule does not match`},
		{Rule{Callers: root, Networks: nets("::/0")}, "rhost=x",
			`client address unknown: refused, since this rule may be the one that matches`},
		{Rule{Callers: anybody, Remember: 1, UnavailableAllow: true}, "caller=user", `every criterion matches` +
			`; caller is user: remember is read as not written; caller is user: unavailable is read as not written`},
		{Rule{Callers: root, Mode: Enrolled, Until: newYear, EnrollLogin: true, EnrollUntil: newYear}, "time=newyear",
			`every criterion matches; its until has passed, so enrolled is now require; its enroll_until has passed`},
	}
	for _, tt := range tests {
		tt.rule.Name, tt.rule.Line = "r", 7
		p := Rules{tt.rule}.Plan(ask(tt.ask))
		want := []Step{{Rule: "r", Line: 7, Matched: p.Refuse == NotRefused, Why: tt.want}}
		if !slices.Equal(p.Trace, want) {
			t.Errorf("login %q:\n got %+v\nwant %+v", tt.ask, p.Trace, want)
		}
	}
}

func TestGroupsNeeded(t *testing.T) {
	rules := Rules{
		{Services: []string{"sudo"}, Groups: []string{"wheel", "ops"}, Callers: root},
		{Services: []string{"sshd"}, Groups: []string{"ops", "remote"}, Callers: root},
		{Users: []string{"bob"}, Groups: []string{"bobs"}, Callers: root},
		{Groups: []string{"ops", "staff"}, Callers: root},
		{Services: []string{"sshd"}, Callers: root},
		{Groups: []string{"late"}, Callers: root},
		{Groups: []string{"lockers"}, Callers: []Caller{CallerUser}},
	}
	tests := []struct {
		service, user string
		caller        Caller
		want          string
	}{
		{"sshd", "alice", CallerRoot, "ops remote staff"},
		{"sshd", "bob", CallerRoot, "ops remote bobs staff"},
		{"sudo", "alice", CallerRoot, "wheel ops staff late"},
		{"sudo", "alice", CallerUser, "lockers"},
	}
	for _, tt := range tests {
		if got := strings.Join(rules.GroupsNeeded(tt.service, tt.user, tt.caller), " "); got != tt.want {
			t.Errorf("%s, %s, %s: %q, want %q", tt.service, tt.user, tt.caller, got, tt.want)
		}
	}
}

func TestParseAddr(t *testing.T) {
	tests := []struct{ rhost, want string }{
		{"", "none"},
		{"203.0.113.7", "203.0.113.7"},
		{"::ffff:203.0.113.7", "203.0.113.7"},
		{"::ffff:203.0.113.7%eth0", "203.0.113.7"},
		{"fe80::1%eth0", "fe80::1"},
		{"2001:DB8::1", "2001:db8::1"},
		{"UNKNOWN", "unknown"},
		{"localhost", "unknown"},
		{"10.0.0.1.example.com", "unknown"},
		{"10.0.0.1 ", "unknown"},
		{"10.0.0.1/8", "unknown"},
		{"010.0.0.1", "unknown"},
		{"[::1]", "unknown"},
		{"167772161", "unknown"},
		{"\x00", "unknown"},
	}
	for _, tt := range tests {
		addr, known := ParseAddr(tt.rhost)
		got := addr.String()
		switch {
		case !known && addr.IsValid():
			got = "an address that is not known"
		case !known:
			got = "unknown"
		case !addr.IsValid():
			got = "none"
		}
		if got != tt.want {
			t.Errorf("%q: %s, want %s", tt.rhost, got, tt.want)
		}
	}
}

func TestCovers(t *testing.T) {
	all := Rule{Callers: root}
	tests := []struct {
		name     string
		r, later Rule
		want     bool
	}{
		{"no criterion", all, Rule{Callers: root, Users: []string{"bob"}}, true},
		{"every criterion against none", Rule{Callers: root, Users: []string{"bob"}}, all, false},
		{"part of the services", Rule{Callers: root, Services: []string{"su", "sudo"}}, Rule{Callers: root, Services: []string{"sudo"}}, true},
		{"another service", Rule{Callers: root, Services: []string{"su"}}, Rule{Callers: root, Services: []string{"su", "sudo"}}, false},
		{"other callers", all, Rule{Callers: []Caller{CallerUser}}, false},
		{"more callers", all, Rule{Callers: anybody}, false},
		{"fewer callers", Rule{Callers: anybody}, all, true},
		{"groups and users differ", Rule{Callers: root, Groups: []string{"a"}}, Rule{Callers: root, Users: []string{"a"}}, false},
		{"a wider network", Rule{Callers: root, Networks: nets("10.0.0.0/8")}, Rule{Callers: root, Networks: nets("10.1.0.0/16", "10.0.0.0/8")}, true},
		{"a narrower network", Rule{Callers: root, Networks: nets("10.1.0.0/16")}, Rule{Callers: root, Networks: nets("10.0.0.0/8")}, false},
		{"the other family", Rule{Callers: root, Networks: nets("::/0")}, Rule{Callers: root, Networks: nets("10.0.0.0/8")}, false},
		{"two halves", Rule{Callers: root, Networks: nets("0.0.0.0/1", "128.0.0.0/1")}, Rule{Callers: root, Networks: nets("0.0.0.0/0")}, false},
		{"the seat", Rule{Callers: root, Networks: nets("local")}, Rule{Callers: root, Networks: nets("local")}, true},
		{"the seat is no address", Rule{Callers: root, Networks: nets("0.0.0.0/0", "::/0")}, Rule{Callers: root, Networks: nets("local")}, false},
	}
	for _, tt := range tests {
		if got := tt.r.Covers(&tt.later); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Several rules cover a later one together when each of its services is covered by one.
func TestCovering(t *testing.T) {
	ssh := Rule{Name: "ssh", Services: []string{"sshd"}, Callers: root}
	sudo := Rule{Name: "sudo", Services: []string{"sudo", "sudo-i"}, Callers: root}
	rules := Rules{ssh, {Name: "bob", Services: []string{"su"}, Users: []string{"bob"}, Callers: root}, sudo, {Name: "any", Services: []string{"login"}, Callers: anybody}}
	tests := []struct {
		name  string
		later Rule
		want  string
	}{
		{"one for each", Rule{Services: []string{"sshd", "sudo"}, Callers: root}, "ssh sudo"},
		{"named once", Rule{Services: []string{"sudo-i", "sshd", "sudo"}, Callers: root}, "sudo ssh"},
		{"and narrower", Rule{Services: []string{"sshd", "login"}, Users: []string{"bob"}, Networks: nets("local"), Callers: root}, "ssh any"},
		{"a service is left", Rule{Services: []string{"sshd", "cron"}, Callers: root}, ""},
		{"a user is left", Rule{Services: []string{"sshd", "su"}, Callers: root}, ""},
		{"the same user", Rule{Services: []string{"sshd", "su"}, Users: []string{"bob"}, Callers: root}, "ssh bob"},
		{"a caller is left", Rule{Services: []string{"sshd", "login"}, Callers: anybody}, ""},
		{"every service", Rule{Callers: root}, ""},
		{"one", Rule{Services: []string{"sudo"}, Callers: root}, "sudo"},
	}
	for _, tt := range tests {
		var names []string
		for _, r := range rules.Covering(&tt.later) {
			names = append(names, r.Name)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if all := (Rules{{Name: "all", Callers: root}}); len(all.Covering(&Rule{Callers: root})) != 1 || len(Rules{}.Covering(&Rule{Services: []string{"su"}, Callers: root})) != 0 {
		t.Error("one that covers all, or none at all")
	}
}

// Who sees that no rule matches learns which one was meant for somebody else.
func TestNoRule(t *testing.T) {
	lockers := Rule{Name: "screen lockers", Services: []string{"vlock"}, Callers: []Caller{CallerUser}}
	wheel := Rule{Name: "wheel", Services: []string{"vlock"}, Groups: []string{"wheel"}, Callers: []Caller{CallerUser}}
	tests := []struct {
		rules     Rules
		ask, want string
	}{
		{nil, "", "no rule matches"},
		{nil, "caller=user", `no rule with callers = ["user"] matches`},
		{Rules{lockers}, "service=vlock", `no rule matches; rule "screen lockers" would, but for callers: root asked`},
		{Rules{{Name: "#1", Callers: root}}, "caller=user", `no rule matches; rule "#1" would, but for callers: user asked`},
		{Rules{lockers}, "service=login", "no rule matches"},
		{Rules{wheel}, "service=vlock", "no rule matches"}, // nobody has looked up whether it would
		{Rules{wheel}, "service=vlock wheel", `no rule matches; rule "wheel" would, but for callers: root asked`},
	}
	for _, tt := range tests {
		q := ask(tt.ask)
		p := tt.rules.Plan(q)
		if got := p.NoRule(q.Caller); p.Refuse != RefuseNoRule || got != tt.want {
			t.Errorf("%v, %q: %s, want %s", tt.rules, tt.ask, got, tt.want)
		}
	}
}
