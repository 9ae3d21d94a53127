package session

import (
	"slices"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/store"
)

// scope is what a factor keeps for a user, with notes about whom it knows the user as,
// and with what it borrows.
func (c *conn) scope(tx *store.Tx, user, name string) factor.Records {
	f := c.factor(name)
	if n, ok := f.(factor.Namer); ok && user != "" {
		return tx.ScopeNoting(user, name, n.Subject(user))
	}
	if _, ok := f.(factor.Borrower); ok {
		return lent{Records: tx.Scope(user, name), of: lending(&c.Settings, name, func(other string) factor.Records { return tx.Scope(user, other) })}
	}
	return tx.Scope(user, name)
}

// factor is the factor of a name, nil if there is none.
func (s *Settings) factor(name string) factor.Factor {
	if i := slices.IndexFunc(s.Factors, func(f factor.Factor) bool { return f.Name() == name }); i >= 0 {
		return s.Factors[i]
	}
	return nil
}

// lending reads what a factor borrows, and nothing else.
func lending[T any](s *Settings, name string, of func(factor string) T) func(factor string) T {
	b, ok := s.factor(name).(factor.Borrower)
	return func(other string) (none T) {
		if !ok || !slices.Contains(b.Borrows(), other) {
			return none
		}
		return of(other)
	}
}

// lent implements factor.Lender.
type lent struct {
	factor.Records
	of func(factor string) factor.Records
}

// Of implements factor.Lender.
func (l lent) Of(factor string) factor.Records { return l.of(factor) }
