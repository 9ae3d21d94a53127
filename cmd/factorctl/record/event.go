// Package record reads factord's audit records and says them in one line.
package record

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/factord/factord/daemon/wire"
)

// Event is an audit record, as factord sends it.
type Event struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Kind    string    `json:"kind"` // "verdict", "answer", "sent", or a management verb
	User    string    `json:"user"`
	Target  string    `json:"target"` // whom User becomes, where it is not User
	Service string    `json:"service"`
	RHost   string    `json:"rhost"`
	TTY     string    `json:"tty"`
	Phase   string    `json:"phase"`
	PeerUID uint32    `json:"peer_uid"`
	Verdict string    `json:"verdict"`
	Basis   string    `json:"basis"`
	Reason  string    `json:"reason"`
	Rule    string    `json:"rule"`
	Factor  string    `json:"factor"`
	ID      string    `json:"id"`
	Log     string    `json:"log"`
	Micros  int64     `json:"micros"`
}

// String is the record with its time.
func (e Event) String() string {
	if e.Time.IsZero() { // of a damaged record nothing but its number is known
		return fmt.Sprintf("%-19s", "record "+strconv.FormatUint(e.Seq, 10)) + "  " + e.What()
	}
	return e.Time.Local().Format("2006-01-02 15:04:05") + "  " + e.What()
}

// What is the record without its time: verdict, user, service, from where, by
// what, why, and how long it took.
func (e Event) What() string {
	words := []string{fmt.Sprintf("%-6s  %-10s", e.verdict(), orDash(e.User)), fmt.Sprintf("%-8s", orDash(e.Service))}
	if e.Kind == "verdict" || e.Kind == "answer" || e.Service != "" { // in a login, where the caller is PAM
		words = append(words, fmt.Sprintf("%-15s", e.from()))
	} else {
		words = append(words, "by uid "+strconv.FormatUint(uint64(e.PeerUID), 10))
	}
	for _, part := range []string{e.by(), labelled("reason ", e.Reason), labelled("rule ", e.rule()), labelled("becomes ", e.Target), e.phase(), wire.Printable(e.Log)} {
		if part != "" {
			words = append(words, part)
		}
	}
	if e.Micros > 0 {
		words = append(words, time.Duration(e.Micros*1000).Round(100*time.Microsecond).String())
	}
	return strings.Join(words, "  ")
}

// verdict is what happened, in one word. An answer that did not end its login
// was wrong.
func (e Event) verdict() string {
	switch {
	case e.Verdict != "":
		return wire.Printable(e.Verdict)
	case e.Kind == "answer":
		return "wrong"
	}
	return orDash(e.Kind)
}

func (e Event) from() string {
	switch {
	case e.RHost != "":
		return wire.Printable(e.RHost)
	case e.TTY != "":
		return wire.Printable(e.TTY)
	}
	return "-"
}

// phase tells the second record of a login, whose gate looked again, from the first.
func (e Event) phase() string {
	if e.Phase == "" {
		return ""
	}
	return "(" + wire.Printable(e.Phase) + " phase)"
}

func (e Event) by() string {
	switch {
	case e.Factor == "" && e.Basis != "":
		return "basis " + wire.Printable(e.Basis)
	case e.Factor == "":
		return labelled("id ", e.ID)
	case e.ID != "":
		return wire.Printable(e.Factor + " (" + e.ID + ")")
	}
	return wire.Printable(e.Factor)
}

func (e Event) rule() string {
	if e.Rule == "" || strings.HasPrefix(e.Rule, "#") {
		return e.Rule
	}
	return strconv.Quote(e.Rule)
}

func labelled(label, s string) string {
	if s == "" {
		return ""
	}
	return label + wire.Printable(s)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return wire.Printable(s)
}
