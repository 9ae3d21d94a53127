package wire

import (
	"strconv"
	"strings"
)

// Basis is what an allow rests on. The zero value is none, which no client
// accepts.
type Basis uint8

// Bases of an allow.
const (
	BasisNone Basis = iota
	BasisFactor
	BasisRemembered
	BasisExempt
	BasisNotEnrolled
	BasisAudit
	BasisUnavailable
)

var bases = [...]string{
	BasisNone: "", BasisFactor: "factor", BasisRemembered: "remembered", BasisExempt: "exempt",
	BasisNotEnrolled: "not-enrolled", BasisAudit: "audit", BasisUnavailable: "unavailable",
}

func (b Basis) String() string { return bases[b] }

// Reason is why a login was refused: the closed list of the wire, in its
// order. The zero value reads as ReasonInternal.
type Reason uint8

// Reasons of a refusal. A reason's ERR number is 100 plus its value.
const (
	ReasonNone Reason = iota
	ReasonDenied
	ReasonNotEnrolled
	ReasonNoRule
	ReasonLocked
	ReasonRateLimited
	ReasonUnavailable
	ReasonTimeout
	ReasonCancelled
	ReasonReplayed
	ReasonProtocol
	ReasonNotPermitted
	ReasonInternal
	ReasonAttempts
	ReasonPushDenied
)

var reasons = [...]string{
	ReasonNone: "", ReasonDenied: "denied", ReasonNotEnrolled: "not-enrolled", ReasonNoRule: "no-rule",
	ReasonLocked: "locked", ReasonRateLimited: "rate-limited", ReasonUnavailable: "unavailable",
	ReasonTimeout: "timeout", ReasonCancelled: "cancelled", ReasonReplayed: "replayed",
	ReasonProtocol: "protocol", ReasonNotPermitted: "not-permitted", ReasonInternal: "internal",
	ReasonAttempts: "attempts", ReasonPushDenied: "push-denied",
}

func (r Reason) String() string { return reasons[r.known()] }

// Code is the number of the ERR line: 101 to 114.
func (r Reason) Code() int { return 100 + int(r.known()) }

func (r Reason) known() Reason {
	if r == ReasonNone || int(r) >= len(reasons) {
		return ReasonInternal
	}
	return r
}

// Verdict is the answer to one AUTH. The zero value denies.
type Verdict struct {
	Allow  bool
	Basis  Basis  // of an allow
	Reason Reason // of a refusal; with BasisAudit, of the refusal that would have been
	Factor string // the factor proven
	Rule   string // the rule that decided; "#N" if it has no name
	Text   string // for the person: what to do next
}

// Lines returns the verdict's two lines, without their ends.
func (v Verdict) Lines() (status, final string) {
	if !v.Allow || v.Basis == BasisNone {
		status = Command("S VERDICT deny", "reason", v.Reason.String(), "rule", v.Rule)
		return status, "ERR " + strconv.Itoa(v.Reason.Code()) + " " + EscapeText(v.text())
	}
	would := ""
	if v.Basis == BasisAudit {
		would = strconv.Itoa(v.Reason.Code())
	}
	return Command("S VERDICT allow", "basis", v.Basis.String(), "factor", v.Factor, "rule", v.Rule, "would", would), "OK"
}

func (v Verdict) text() string {
	if v.Text == "" {
		return v.Reason.String()
	}
	return v.Text
}

// ParseVerdict parses the status line's part after "S VERDICT ". The verdict
// does not hold until the final line has been checked with Confirm.
func ParseVerdict(rest string) (Verdict, error) {
	word, rest, _ := strings.Cut(rest, " ")
	args, err := ParseArgs(rest)
	if err != nil {
		return Verdict{}, err
	}
	v := Verdict{Allow: word == "allow", Rule: args.Take("rule")}
	switch word {
	case "allow":
		err = v.takeAllow(args)
	case "deny":
		i, ok := oneOf(reasons[:], args, "reason")
		if !ok || i == 0 {
			err = ErrGrammar
		}
		v.Reason = Reason(i)
	default:
		err = ErrGrammar
	}
	if err == nil {
		err = args.Done()
	}
	if err != nil {
		return Verdict{}, err
	}
	return v, nil
}

func (v *Verdict) takeAllow(args Args) error {
	i, ok := oneOf(bases[:], args, "basis")
	if !ok || i == 0 {
		return ErrGrammar
	}
	v.Basis, v.Factor = Basis(i), args.Take("factor")
	would, given := args["would"]
	delete(args, "would")
	if given != (v.Basis == BasisAudit) {
		return ErrGrammar
	}
	if given {
		n, err := strconv.Atoi(would)
		if err != nil || n <= 100 || n >= 100+len(reasons) {
			return ErrGrammar
		}
		v.Reason = Reason(n - 100)
	}
	return nil
}

// Confirm checks the line that follows the status line: OK for an allow, ERR
// with the reason's own number for a refusal. Anything else is a refusal.
func (v Verdict) Confirm(line string) (Verdict, error) {
	if v.Allow {
		if line == "OK" || strings.HasPrefix(line, "OK ") {
			return v, nil
		}
		return Verdict{}, ErrGrammar
	}
	number, text, _ := strings.Cut(strings.TrimPrefix(line, "ERR "), " ")
	if !strings.HasPrefix(line, "ERR ") || number != strconv.Itoa(v.Reason.Code()) {
		return Verdict{}, ErrGrammar
	}
	decoded, err := Unescape([]byte(text))
	if err != nil {
		return Verdict{}, err
	}
	v.Text = Printable(string(decoded))
	return v, nil
}
