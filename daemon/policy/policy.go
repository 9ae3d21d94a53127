// Package policy says what a login must show: rules and a request go in, a plan comes out.
//
// It is apart from everything that does things, so that a decision can be repeated, printed (factorctl explain) and
// tested as a table: it reads no file, asks no directory and has no clock. What is not known is passed in as unknown,
// and unknown never makes a login easier. The zero value of every type here is the one that refuses.
package policy

// Mode is what a rule demands of the logins that it matches.
type Mode uint8

const (
	Require  Mode = iota // one of the factors must be shown
	Enrolled             // only who has a factor must show one
	Audit                // the outcome is logged, the login goes on
	Exempt               // nothing is asked
)

// String returns the word for m in the configuration. A value that is no mode is the strictest one.
func (m Mode) String() string {
	switch m {
	case Enrolled:
		return "enrolled"
	case Audit:
		return "audit"
	case Exempt:
		return "exempt"
	default:
		return "require"
	}
}

// Caller is who holds the other end of the socket, as the kernel says.
type Caller uint8

const (
	CallerUser Caller = iota // any uid but 0, asking about itself
	CallerRoot               // uid 0
)

// String returns the word for c in the configuration.
func (c Caller) String() string {
	if c == CallerRoot {
		return "root"
	}
	return "user"
}

// Membership is what the directory said about one user and one group.
type Membership uint8

const (
	MembershipUnknown Membership = iota // the group could not be looked up
	Member
	NotMember
)

// Known is a fact that may be unknown.
type Known uint8

const (
	Unknown Known = iota
	No
	Yes
)

// Refusal is why a plan refuses before any factor is asked.
type Refusal uint8

const (
	RefuseNoRule      Refusal = iota // no rule matches
	RefuseUnavailable                // the rule that decides can't be told without an unknown input
	NotRefused
)

// String returns the reason of the verdict that follows from r, or "none".
func (r Refusal) String() string {
	switch r {
	case NotRefused:
		return "none"
	case RefuseUnavailable:
		return "unavailable"
	default:
		return "no-rule"
	}
}
