// Package factor says what a second factor is. Each factor is a folder below
// this one; the programs in cmd/ choose which of them are built in.
//
// A factor knows one user and one answer. It never sees the rules, which decide
// whether it is asked, nor the budgets, which decide whether the answer counts,
// and it does not make the verdict: it returns a claim, and the session's gate
// settles the claim inside the transaction that spends it and records it.
package factor

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// Factor is one kind of proof.
type Factor interface {
	// Name is the factor's name in rules and verdicts.
	Name() string
	// Offer says what this user can do with the factor in this login. An
	// error means that it can't be known, which is never "not enrolled".
	Offer(ctx context.Context, l Login) (Offer, error)
	// Verify takes one answer. There are two kinds of no: ErrNotMine, then
	// the next factor is tried, and any other error, which ends the attempt.
	// A wrong answer of the factor's own form is no error but a claim that
	// settles as Wrong.
	Verify(ctx context.Context, l Login, answer Secret) (Claim, error)
}

// Telltale is a factor whose answers look like no other's.
type Telltale interface {
	Factor
	// Doubt is what to ask whoever has given a wrong answer of that form, "is it your
	// YubiKey?", and empty for any other answer. It looks at the form alone: also who has
	// no such factor is told so, where it must not be known who has.
	Doubt(answer Secret) string
}

// ErrNotMine says that an answer has not the form of this factor's answers.
var ErrNotMine = errors.New("not an answer to this factor")

// ErrUnavailable says that the factor can't be asked at the moment, through no
// fault of the user.
var ErrUnavailable = errors.New("factor is unavailable")

// Login is what a factor may know of the attempt it serves.
type Login struct {
	User    string     // canonical name, as NSS returned it
	UID     uint32     // its user id
	Service string     // PAM service
	Client  netip.Addr // where the user sits; invalid if unknown or here
	Now     time.Time  // the clock
	// Highest is the highest time that the store has seen: Now is before it
	// while the clock is set back. Zero is unknown, and then nothing that
	// expires is accepted.
	Highest time.Time
	// Records are what the factor keeps for this user, as read when the
	// attempt began. Settling reads them again.
	Records []Record
	// Wanted: the rule takes this factor, or needs to know whether the user has
	// it. One that asks somebody outside does so only then.
	Wanted bool
	// Discreet: no first factor is proven yet, so that nothing, and not the
	// time it takes, may tell what the user has before an answer is given.
	Discreet bool
	// Proven: a first factor is proven, or the caller is the user, so that texts
	// may tell what the user has.
	Proven bool
	// Command is what the client says that it runs: its own words.
	Command string
	// ServiceTold: Service is the client's own word too.
	ServiceTold bool
	// Mute: no text reaches anybody.
	Mute bool
	// Proves: the login serves to show a factor, so that being let in without does not
	// do.
	Proves bool
	// Lenient: an outage of whoever is asked outside would let the user in. Only one
	// that is found out now is one then, and none that was a moment ago.
	Lenient bool
	// Local: the user has logged in at this machine's own seat, and nowhere else, as logind
	// vouches for. Only then may a key that is plugged in here be asked for anything.
	Local bool
	// Presence: the rule demands that a person shows to be there, by a touch or a PIN.
	Presence bool
	// CanAsk: somebody can type an answer.
	CanAsk bool
	// RecordsOf are what another factor keeps for this user, to a Borrower of it.
	RecordsOf func(factor string) []Record
	// Origin stands for the client's address and key, or its session and
	// terminal, where all of that is known and the rule remembers; else it is
	// empty.
	Origin string
	// Trust is what Finding.Trust was when the user proved this factor with the same
	// Origin, for the offer of an Asker. It is dropped with what is remembered.
	Trust Secret
	// Note is the user's, as Records.Note has it, for the offer of an Asker.
	Note []byte
	// State is what Offer left in Offer.State for the same attempt.
	State any
}

// Offer is what a user can do with a factor. The zero value is nothing.
type Offer struct {
	// Enrolled is a positive finding: the user has this factor.
	Enrolled bool
	// Usable says that an answer can be accepted in this login.
	Usable bool
	// Hint names the answer in the prompt: "passcode", "backup code".
	Hint string
	// Guessable says that its answers are short enough to guess, so that
	// they wait when the budget is spent.
	Guessable bool
	// Advice is what the person can look at when answers are wrong: "is the
	// phone's time set automatically?". It rests on what the user has, never
	// on an answer.
	Advice string
	// Vain: no answer can be right before something else is done, which Advice says.
	Vain bool
	// Choices are what an Asker does without a typed code: "push to Pixel 5".
	// The first is what Enter does, and what is done where nobody can type.
	Choices []string
	// Enter names the first of them in the prompt: "a push".
	Enter string
	// Auto: the first of the choices costs and disturbs nobody, so that it may begin with
	// the question and beside it: a key waits to be touched. If something else decides
	// while it has nothing to log, nothing is kept of it.
	Auto bool
	// Held says to the person why nothing would come of the choices at this moment:
	// they are not offered then, though who takes one hears it.
	Held string
	// Undisclosed: which choices there are is known only when one is taken,
	// since the login is discreet.
	Undisclosed bool
	// Waived is set if whoever vouches for the user outside asks for no proof
	// this time; it tells the person why.
	Waived string
	// Refused says to the person why the factor is of no use to them in this login,
	// if it is not Usable, and what they can do about it.
	Refused string
	// State is the factor's own, and comes back in Login.State.
	State any
}

// Claim is an answer that has the form of one factor.
type Claim struct {
	// Guessable: the answer is a code of 6 to 8 digits.
	Guessable bool
	// Chosen: the answer is one of Offer.Choices, and no code.
	Chosen bool
	// Outside is set if somebody outside this machine's store decides: a
	// server, a person's phone, a key and a finger.
	Outside *Outside
	// Settle decides the claim and spends what it rests on. It is called at
	// most once, inside the transaction that also records the outcome; an
	// error leaves nothing changed and refuses.
	Settle func(Records) (Finding, error)
}

// Outcome is how a claim was settled. The zero value is Wrong.
type Outcome uint8

// Outcomes.
const (
	Wrong Outcome = iota
	// Replayed: it was right once, and has been spent.
	Replayed
	// Proven: right, and now spent.
	Proven
	// Denied: the person who was asked outside has said no. It ends the
	// attempt.
	Denied
	// Lapsed: whoever was asked outside has said nothing. It costs nothing.
	Lapsed
	// Waived: who was asked outside lets the user in and asks for no proof. It is
	// none either: nothing is remembered of it, and no failure forgiven.
	Waived
	// Refused: who was asked outside does not let the user in, and no person has said
	// so. It ends the attempt.
	Refused
	// Unasked: there was nothing to ask for after all. It costs nothing.
	Unasked
	// Sent: what was asked for is on its way to the person, and is to be typed. It proves
	// nothing, and costs nothing.
	Sent
)

// Finding is a settled claim.
type Finding struct {
	Outcome Outcome
	ID      string // the record it rests on
	// Note is for the person: after an allow, or, to one who has proven who
	// they are, why no answer can be right now.
	Note string
	Log  string // for root and the audit record alone
	// Trust is a token of whoever decided outside, to be shown where Login.Origin is
	// the same again. It is kept sealed, where the rule remembers.
	Trust Secret
}

// Record is one thing a factor keeps for a user: a token, a set of codes. The
// value's form is the factor's own; it is sealed at rest, bound to user, factor
// and id.
type Record struct {
	ID    string
	Value []byte
	// Decoded is the factor's own reading of Value. It may leave it here for
	// its next call in the same attempt or transaction.
	Decoded any
}

// ErrDamaged is a record that lies in the store and can't be read.
var ErrDamaged = errors.New("a value does not unseal")

// Namer is a factor that knows its users by names of its own, of which one may be that
// of several users here.
type Namer interface {
	Factor
	// Subject is whom Records.Note is about for a user, without NUL bytes; "": the user.
	Subject(user string) string
}

// Records are what one factor keeps for one user, inside one transaction. List
// returns with ErrDamaged those that can be read.
type Records interface {
	List() ([]Record, error)
	Get(id string) (value []byte, ok bool, err error)
	Put(id string, value []byte) error
	Delete(id string) error
	// Note is what the factor notes about the user beside the records: when
	// they were asked, and what they said. It is no enrolment, and a user
	// without one has it too; unlocking the user clears it. Users who are one
	// Namer.Subject share it. nil is none.
	Note() ([]byte, error)
	// PutNote replaces the note; nil clears it.
	PutNote(value []byte) error
}
