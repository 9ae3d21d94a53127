package factor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Keeper is a factor whose records are made, shown and removed by factorctl.
type Keeper interface {
	Factor
	Describer
	// Kinds are the names that "factorctl enroll" takes for it.
	Kinds() []string
	// Enroll prepares a new record. Nothing is kept before Draft.Commit.
	Enroll(e Enrolment) (Draft, error)
}

// SeedKeeper is a Keeper to which only root may give a Seed: nobody can check what it
// is said to belong to.
type SeedKeeper interface {
	Keeper
	// NotYourSeed tells others so, with what they can do instead.
	NotYourSeed() string
}

// Describer says about a record what may be shown; never a secret.
type Describer interface {
	Describe(r Record) (Item, error)
}

// Errors of enrolment. Their texts are for the person.
var (
	// ErrFirstCode: the code that should confirm an enrolment is wrong.
	ErrFirstCode = errors.New("that is not a code of this token")
	// ErrFull: the user has as many tokens as a user may have.
	ErrFull = errors.New("no more than 5 code tokens per user")
)

// Enrolment is a wish for a new record.
type Enrolment struct {
	User    string
	Kind    string            // one of Keeper.Kinds
	Name    string            // the user's name for it, may be empty
	Options map[string]string // what was said beside: algorithm, digits, …
	// Seed is a secret that exists already, as text: base32 or an otpauth
	// URI. Empty: make a new one.
	Seed     Secret
	Existing []Record
	// RecordsOf are what another factor keeps for the user, to a Borrower of it.
	RecordsOf func(factor string) []Record
	// NoPresence: the record may do without a person who shows to be there. Only root
	// may wish for that.
	NoPresence bool
	Now        time.Time
}

// Draft is an enrolment that is not kept yet.
type Draft struct {
	// ID is the record's that Commit keeps; empty if what is enrolled is not kept here.
	ID string
	// Show is encoded as JSON for the person who enrols: it has the secret.
	Show any
	// Ask is the question for a first code; empty if none is needed.
	Ask string
	// Begin asks a server for what is to be shown; nil: Show has it. Check asks it
	// about the answer, or whether the person has done what was asked, before the
	// transaction of Commit: ErrFirstCode in an error's chain says no, or not yet.
	// nil: there is nothing to ask. Both end with their context, tell the person with say
	// what to do meanwhile, which returns at once, and are called again after a *Question.
	// Begun says for the record what Begin has changed at the server, if anything, which
	// stays even if nothing comes of the enrolment.
	Begin func(ctx context.Context, say func(text string)) (show any, err error)
	Begun func() string
	Check func(ctx context.Context, say func(text string), first Secret) error
	// Commit keeps the record. first is the confirming code, which is spent
	// with it; nil skips the confirmation. A wrong one is ErrFirstCode.
	Commit func(rs Records, first Secret, now time.Time) error
}

// Refusal is an error of a Draft whose text is for the person. Others than root hear of any
// other error only that it is internal.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// Refusef makes a Refusal.
func Refusef(format string, args ...any) Refusal { return Refusal(fmt.Sprintf(format, args...)) }

// Neighbours are Records whose factor can ask whether another user has already
// what it is about to keep: a key that can belong to only one.
type Neighbours interface {
	Records
	// Others are the records that the factor keeps for all other users, by their
	// names, which are for root alone. One that does not unseal has no value.
	Others() iter.Seq2[string, Record]
}

// Item is what may be shown of a record.
type Item struct {
	ID      string            `json:"id"`
	Factor  string            `json:"factor"`
	Kind    string            `json:"kind"`
	Name    string            `json:"name,omitempty"`
	Created time.Time         `json:"created"`
	Used    time.Time         `json:"used,omitzero"`
	Detail  map[string]string `json:"detail,omitempty"`
	// Mark is by what others know it, for the audit record: a key's public id.
	Mark string `json:"-"`
}

// Restorer is a factor that knows what of its records an older copy of the
// database can't be believed about.
type Restorer interface {
	// Restored changes what a factor keeps for one user, after a backup has
	// been put back, so that nothing can be accepted that may have been spent
	// since the backup was made. present are the records that the replaced
	// database has for the same user, as far as they can be read. It may be an
	// old copy itself: that something was spent can be believed of it, that
	// something was not can't. now is the clock, but never before the highest
	// time the replaced database had seen, if that is known.
	Restored(rs Records, present []Record, now time.Time) error
}

// Resyncer is a factor with tokens whose counter can run away from ours.
type Resyncer interface {
	// Resync finds the counter of one token by two codes that it made one
	// after the other, and spends both. It returns what root should know.
	// Codes that are not found are ErrResync; other errors are for the person
	// too.
	Resync(rs Records, id string, first, second Secret, now time.Time) (log string, err error)
}

// ErrResync: the two codes are not of this token, or not one after the other.
var ErrResync = errors.New("these are not two codes of this token, one after the other")
