package audit

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"

	"github.com/factord/factord/daemon/store"
)

// kind is a sort of event, as the journal knows it. The ids are for good:
// people's filters and journald's catalogues name them (packaging/doc/audit.md lists them).
type kind struct {
	id       string // MESSAGE_ID
	priority journal.Priority
	say      func(e store.Event) string
}

var (
	allowed  = kind{"0f4dfaa973ec65343542794755c64e0f", journal.PriInfo, sayAllowed}
	waived   = kind{"2c0403265b155ee152c6b91328197d26", journal.PriNotice, sayWaived}
	denied   = kind{"d87fff7aa1500f6ba108782b5a5be7d1", journal.PriNotice, sayDenied}
	answered = kind{"97aa678d782e298b3e18da602af2f7c4", journal.PriNotice, sayAnswered}
	sent     = kind{"cf1b1712c103dd2e5bfaa8b09ae7d17a", journal.PriInfo, saySent}
	refused  = kind{"5d7697261feb9913636c53fdb1a5444b", journal.PriNotice, sayRefused}
	other    = kind{"d691094c4f7c5cdc15d59598abfbac0c", journal.PriNotice, sayOther}
)

// changes are the kinds of management, by the Kind of their events.
var changes = map[string]kind{
	"enroll": {"edd0e984b3f3394d4790c83b3eb23bdd", journal.PriNotice, saying("enrolled %[2]s for %[1]s")},
	"remove": {"ad431231dbaae0c11903266c2939c53e", journal.PriNotice, saying("removed %[2]s of %[1]s")},
	"unlock": {"12a3890d9e0534b33caa1bc2d4142c95", journal.PriNotice, saying("unlocked %[1]s")},
	"bypass": {"99c89bbe62ed61aba2dcbfcbcb0c5351", journal.PriNotice, saying("made a bypass code for %[1]s")},
	"invite": {"f9dad668dec575081635b141f8945616", journal.PriNotice, saying("made an invitation for %[1]s")},
	"forget": {"02987d9e93bd7b1269c931542df50008", journal.PriNotice, saying("forgot what was remembered of %[1]s")},
	"resync": {"8a57d2d0d30e6f7be6f0cc53d3b4b6aa", journal.PriNotice, saying("resynchronised %[2]s of %[1]s")},
	"import": {"c952ad8bbd73407d5ff4fbd99f33c6f3", journal.PriNotice, saying("imported %[2]s for %[1]s")},
}

// kindOf sorts an event.
func kindOf(e store.Event) kind {
	switch {
	case e.Kind == KindRefused:
		return refused
	case e.Kind == "answer":
		return answered
	case e.Kind == "sent":
		return sent
	case e.Kind == "verdict" && e.Verdict == "allow" && (e.Basis == "factor" || e.Basis == "remembered"):
		return allowed
	case e.Kind == "verdict" && e.Verdict == "allow":
		return waived
	case e.Kind == "verdict":
		return denied
	}
	if k, ok := changes[e.Kind]; ok {
		return k
	}
	return other
}

func sayAllowed(e store.Event) string {
	by := " by " + e.Factor
	if e.Basis == "remembered" {
		by = ", a proof is remembered"
	}
	return "allowed " + login(e) + by + rule(e)
}

func sayWaived(e store.Event) string {
	why := map[string]string{
		"exempt":       ", which is exempt",
		"not-enrolled": ", who has no factor yet",
		"audit":        " in audit mode: it would have been refused, " + e.Reason,
	}[e.Basis]
	if why == "" {
		why = ", basis " + e.Basis
	}
	return "let in " + login(e) + " without a factor" + why + rule(e)
}

func sayDenied(e store.Event) string {
	return "denied " + login(e) + ": " + e.Reason + because(e) + rule(e)
}

func sayAnswered(e store.Event) string {
	return "wrong answer from " + login(e) + ": " + e.Reason + because(e) + rule(e)
}

func saySent(e store.Event) string {
	return "sent codes for " + login(e) + because(e) + rule(e)
}

func sayRefused(e store.Event) string {
	return "refused " + login(e) + " before a factor was asked: " + e.Reason + because(e) + rule(e)
}

func sayOther(e store.Event) string {
	return saying(strings.ReplaceAll(e.Kind, "%", "") + " %[2]s for %[1]s")(e)
}

// saying says a change to what a user has: format has the user and the record.
func saying(format string) func(store.Event) string {
	return func(e store.Event) string {
		what := fmt.Sprintf(format, plain(e.User), strings.TrimSpace(e.Factor+" "+e.ID))
		return what + ", asked by uid " + strconv.FormatUint(uint64(e.PeerUID), 10) + because(e)
	}
}

// login is who wanted to do what, and from where.
func login(e store.Event) string {
	who := plain(e.User)
	if who == "" {
		who = "somebody"
	}
	if e.Target != "" {
		who += " (as " + plain(e.Target) + ")"
	}
	if e.Service != "" {
		who += " to " + plain(e.Service)
	}
	if e.RHost != "" {
		who += " from " + plain(e.RHost)
	}
	return who
}

// plain quotes what a client has said, if it could be taken for words of ours.
func plain(s string) string {
	if strings.ContainsAny(s, " \"'()") {
		return strconv.Quote(s)
	}
	return s
}

func because(e store.Event) string {
	if e.Log == "" {
		return ""
	}
	return " (" + e.Log + ")"
}

func rule(e store.Event) string {
	switch {
	case e.Rule == "":
		return ""
	case strings.HasPrefix(e.Rule, "#"):
		return " (rule " + e.Rule + ")"
	}
	return " (rule " + strconv.Quote(e.Rule) + ")"
}
