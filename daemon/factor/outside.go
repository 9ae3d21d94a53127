package factor

import "context"

// Asker is a factor that asks somebody outside, and not only for what was typed:
// it sends a push, or waits for a key to be touched.
type Asker interface {
	Factor
	// Choose takes one of Offer.Choices, counted from 0. Of an offer that was
	// discreet the choices are not known yet, and any number may come.
	// ErrNotMine is a number for which there is nothing.
	Choose(ctx context.Context, l Login, choice int) (Claim, error)
}

// Worded is an Asker whose choices can be typed as words too: "push", "sms2". Verify
// takes those for which there is something.
type Worded interface {
	Asker
	// IsChoice reports whether an answer is such a word, whoever types it.
	IsChoice(answer Secret) bool
}

// Outside is how a claim is put to whoever decides it. Its functions are called
// in this order, each at most once; Claim.Settle follows whatever came of them,
// and then finds Lapsed unless there was a decision.
type Outside struct {
	// Earlier comes before the others. It may be nil.
	Earlier *Earlier
	// Admit runs in a transaction of its own, so that limits on asking are
	// on disk before anybody is asked. It may be nil. A *Held ends the claim
	// without Settle.
	Admit func(Records) error
	// Ask asks. It returns nil if the decision is known with that, else what
	// there is to wait for. An error that is a *Question is put to the person, and
	// then Ask is called again. ctx ends when the client hangs up, and when nobody waits
	// for the decision any more: what goes on behind Ask may go on for as long.
	Ask func(ctx context.Context) (*Wait, error)
	// Guessed reports, once there is a decision, whether it rests on a code of 6 to 8
	// digits. Settle is then not called while guesses have to wait. nil: it never does.
	Guessed func() bool
}

// Question is what a person has to answer before somebody outside can be asked: the
// PIN of a key. Only where Login.CanAsk.
type Question struct {
	Text string // ends in ": "
	Echo bool   // what is typed may be seen
	// Answer takes the answer, which is wiped afterwards.
	Answer func(Secret)
}

func (q *Question) Error() string { return "there is a question to answer first" }

// Lapse is an error of Outside that ends neither the attempt nor a question which is open
// beside it: the key was not touched, or its PIN was wrong. It costs nothing.
type Lapse struct {
	Text string // for the person, with what to do next
	Late bool   // nobody did anything in time
	Err  error  // for the log
}

func (l *Lapse) Error() string { return l.Err.Error() }

func (l *Lapse) Unwrap() error { return l.Err }

// Local is a factor that asks a key which is plugged into this machine. It is told
// where the login comes from.
type Local interface {
	Asker
	// OnlyHere marks it; it is never called.
	OnlyHere()
}

// Earlier finds out what became of what was asked before, by attempts that did not
// wait for the end of it: a no is heard before anybody is asked again.
type Earlier struct {
	// Open reads what there is to find out, and reports whether there is anything. It
	// changes nothing.
	Open func(Records) (bool, error)
	// Ask asks, for a second at most, and reports whether somebody has said no.
	Ask func(ctx context.Context) (denied bool)
	// Settle books it, if so. A no that was booked by another attempt meanwhile is
	// Lapsed, and nothing is kept of the transaction.
	Settle func(Records) (Finding, error)
}

// Wait is something that takes a person's time.
type Wait struct {
	// Cue tells what to do: "Push sent to Pixel 5: approve it". Without a full
	// stop, since a prompt may go on from there. Unless Login.Proven is set it
	// names nothing of what the user has.
	Cue string
	// Until returns when there is a decision, or an error. It may say on the
	// way how things stand; say returns at once. Its ctx is that of Ask. It is never
	// called if the client went away in the meantime: what is held has to be let go in
	// Settle, or with ctx.
	Until func(ctx context.Context, say func(text string)) error
}

// Held says why nobody is asked outside at this moment.
type Held struct {
	Text   string // for the person: what to do instead
	Log    string // for root
	Denied bool   // because somebody said no
}

func (h *Held) Error() string { return h.Log }

// Outage is an ErrUnavailable that can be explained.
type Outage struct {
	// Text is for the person: "Duo can't be reached".
	Text string
	// Advice is for who has no other factor: "tell your administrator". "": to try
	// again, or to ask the administrator.
	Advice string
	// Unreachable: the connection or TLS failed, or the server failed itself
	// (5xx), as it was found out now. Only this is what a rule with
	// unavailable = "allow" lets pass.
	Unreachable bool
	// Err is for the log.
	Err error
}

func (o *Outage) Error() string { return o.Err.Error() }

// Unwrap makes it an ErrUnavailable.
func (o *Outage) Unwrap() []error { return []error{ErrUnavailable, o.Err} }
