package factor

// Borrower is a factor that proves with what others keep. An OTP that is captured from a
// key is one that could be typed too: it spends the same counter of the same record, or
// it could be used twice.
type Borrower interface {
	Factor
	// Borrows names those factors. What rests on their records is no proof beside them.
	Borrows() []string
	// DescribeBeside is Describer.Describe where of reads what those factors keep for the
	// user.
	DescribeBeside(r Record, of func(factor string) []Record) (Item, error)
}

// Lender are the Records of a Borrower, in settling and enrolling.
type Lender interface {
	Records
	// Of are what one of Borrower.Borrows keeps for the same user. They are Neighbours.
	Of(factor string) Records
}
