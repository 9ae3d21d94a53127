package audit

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/coreos/go-systemd/v22/journal"

	"github.com/factord/factord/daemon/store"
)

func TestWhatIsSaid(t *testing.T) {
	for _, test := range []struct {
		event    store.Event
		message  string
		kind     kind
		priority journal.Priority
	}{
		{store.Event{Kind: "verdict", User: "alice", Service: "sudo", Verdict: "allow", Basis: "factor", Factor: "totp", Rule: "admins"},
			`allowed alice to sudo by totp (rule "admins")`, allowed, journal.PriInfo},
		{store.Event{Kind: "verdict", User: "alice", Service: "sudo", Verdict: "allow", Basis: "remembered", Rule: "#2"},
			`allowed alice to sudo, a proof is remembered (rule #2)`, allowed, journal.PriInfo},
		{store.Event{Kind: "verdict", User: "alice", Target: "root", Service: "su", Verdict: "allow", Basis: "exempt", Rule: "jobs"},
			`let in alice (as root) to su without a factor, which is exempt (rule "jobs")`, waived, journal.PriNotice},
		{store.Event{Kind: "verdict", User: "alice", Service: "sshd", RHost: "192.0.2.1", Verdict: "allow", Basis: "audit", Reason: "attempts"},
			`let in alice to sshd from 192.0.2.1 without a factor in audit mode: it would have been refused, attempts`, waived, journal.PriNotice},
		{store.Event{Kind: "verdict", User: "bob", Service: "sshd", Verdict: "deny", Reason: "replayed", Log: "was spent"},
			`denied bob to sshd: replayed (was spent)`, denied, journal.PriNotice},
		{store.Event{Kind: "answer", User: "bob", Service: "sshd", Reason: "denied"},
			`wrong answer from bob to sshd: denied`, answered, journal.PriNotice},
		{store.Event{Kind: "sent", User: "bob", Service: "sshd", Factor: "duo", Log: "Duo: sent, by sms"},
			`sent codes for bob to sshd (Duo: sent, by sms)`, sent, journal.PriInfo},
		{store.Event{Kind: KindRefused, Reason: "protocol"}, `refused somebody before a factor was asked: protocol`, refused, journal.PriNotice},
		{store.Event{Kind: "remove", User: "bob", Factor: "totp", ID: "totp-1", PeerUID: 1000},
			`removed totp totp-1 of bob, asked by uid 1000`, changes["remove"], journal.PriNotice},
		{store.Event{Kind: "unlock", User: "bob"}, `unlocked bob, asked by uid 0`, changes["unlock"], journal.PriNotice},
		{store.Event{Kind: "new%s", User: "bob", Factor: "totp"}, `news totp for bob, asked by uid 0`, other, journal.PriNotice},
	} {
		k := kindOf(test.event)
		if got := k.say(test.event); got != test.message || k.id != test.kind.id || k.priority != test.priority {
			t.Errorf("%q, %s, %d\nwant %q, %s, %d", got, k.id, k.priority, test.message, test.kind.id, test.priority)
		}
	}
}

// Message ids are for good, 128 bits, and each is one kind's.
func TestMessageIDs(t *testing.T) {
	seen := map[string]bool{}
	kinds := []kind{allowed, waived, denied, answered, sent, refused, other}
	for _, k := range changes {
		kinds = append(kinds, k)
	}
	for _, k := range kinds {
		if seen[k.id] || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(k.id) {
			t.Errorf("%q", k.id)
		}
		seen[k.id] = true
	}
}

// FuzzFields: whatever is in a record, it makes no second line in a field, and
// no field that is not ours.
func FuzzFields(f *testing.F) {
	f.Add("alice\nFACTORD_VERDICT=allow", "\x1b[2J\u202e\u0085\u2028", uint64(1))
	f.Fuzz(func(t *testing.T, a, b string, seq uint64) {
		e := store.Event{Seq: seq}
		v := reflect.ValueOf(&e).Elem()
		for i := range v.NumField() {
			if field := v.Field(i); field.Kind() == reflect.String {
				field.SetString([]string{a, b}[i%2])
			}
		}
		for _, kind := range []string{e.Kind, "verdict", "answer", KindRefused, "enroll"} {
			e.Kind = kind
			k := kindOf(e)
			k.say(e)
			for name, value := range fields(k, e) {
				if strings.ContainsFunc(value, unicode.IsControl) || value == "" || !regexp.MustCompile(`^[A-Z_]+$`).MatchString(name) {
					t.Errorf("%s=%q", name, value)
				}
			}
		}
	})
}
