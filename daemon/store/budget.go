package store

import "cmp"

// Budgets are what wrong answers have cost a subject, and notes what a factor has
// asked of a user, or of whom the user is to it. Both share a bucket, since neither
// needs an entry of the user: a subject has no NUL in it, which is what parts user and
// factor in a note's key.

// Budget decodes the budget of a subject into v and reports whether there is
// one. Its form is the session's.
func (t *Tx) Budget(subject string, v any) (bool, error) {
	return t.getJSON(bucketBudgets, []byte(subject), v)
}

// HasBudget reports whether a subject has a budget.
func (t *Tx) HasBudget(subject string) bool { return t.has(bucketBudgets, []byte(subject)) }

// PutBudget keeps the budget of a subject.
func (t *Tx) PutBudget(subject string, v any) error {
	return t.putJSON(bucketBudgets, []byte(subject), v)
}

// ClearBudget forgets the budget of a subject.
func (t *Tx) ClearBudget(subject string) error { return t.remove(bucketBudgets, []byte(subject)) }

// Note implements factor.Records.
func (s scope) Note() ([]byte, error) { return s.tx.get(bucketBudgets, s.noteKey()) }

// PutNote implements factor.Records.
func (s scope) PutNote(value []byte) error {
	if len(value) == 0 {
		return s.tx.remove(bucketBudgets, s.noteKey())
	}
	return s.tx.put(bucketBudgets, s.noteKey(), value)
}

func (s scope) noteKey() []byte { return []byte(cmp.Or(s.subject, s.user) + "\x00" + s.factor) }
