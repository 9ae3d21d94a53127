package factor

import "context"

// Starter is a factor that a person who has none yet can set up in the middle of a
// login. Whether they may, the session decides.
type Starter interface {
	Factor
	// Start begins; l.Records are empty. What it needs is made anew each time,
	// and nothing of it is kept before a claim of Start.Confirm settles.
	Start(ctx context.Context, l Login) (Start, error)
}

// Start is a factor that is being set up.
type Start struct {
	// Show is what the person has to take from it or to do, line by line: a
	// secret, a QR code, a link. Lines of half blocks are drawings.
	Show []string
	// Ask is the question that follows. Without its end, which the session
	// adds: "First code from the app".
	Ask string
	// Enter: a bare Enter is an answer too, as where a server has to be asked
	// whether something has been done.
	Enter bool
	// Confirm takes the answer, and may ask a server whether what was to be
	// done has been done. The claim settles as Proven if the factor is set up
	// now, and then has spent what it rests on and kept the records. Of one
	// that settles otherwise nothing is kept; its Finding.Note says why. Refused
	// ends the login: it is set up, and whoever sits here has not shown that it
	// was they who did so.
	Confirm func(ctx context.Context, l Login, answer Secret) (Claim, error)
}

// Reserve is a factor for the day on which the others are lost. It needs nothing
// from the person, and so is set up along with the first one.
type Reserve interface {
	Factor
	// Reserve makes what is to be kept with commit, in the transaction that
	// keeps the other factor too.
	Reserve(l Login) (Spare, error)
}

// Spare is a Reserve that is not kept yet.
type Spare struct {
	ID     string
	Show   []string // what the person has to write down, line by line
	Commit func(Records) error
}
