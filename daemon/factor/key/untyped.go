package key

import (
	"context"

	"github.com/factord/factord/daemon/factor"
)

// Untyped is the part of a factor.Local to which nothing is typed: it is chosen.
type Untyped struct{}

// OnlyHere implements factor.Local.
func (Untyped) OnlyHere() {}

// Verify implements factor.Factor.
func (Untyped) Verify(context.Context, factor.Login, factor.Secret) (factor.Claim, error) {
	return factor.Claim{}, factor.ErrNotMine
}
