package piv

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-piv/piv-go/v2/piv"
)

// Tries are what is left of a PIN.
type Tries struct {
	// Left is how many wrong PINs in a row would block it, 15 if it is more; 0: it is
	// blocked.
	Left int
	// Verified: some program has had it verified, and it still holds. The card does
	// not tell the tries then, of which none is spent.
	Verified bool
}

// Retries waits for the key, and returns the tries of its PIN. It spends none, and takes
// nothing from others, except that firmware before 5.0 forgets a PIN whenever it is
// asked for its serial number.
func Retries(ctx context.Context, w Wanted) (Tries, error) {
	s := newSearch(w)
	for {
		c, err := s.find(ctx)
		if err != nil {
			return Tries{}, err
		}
		t, err := c.tries(ctx)
		c.release(ctx)
		if !errors.Is(err, errGone) || ctx.Err() != nil {
			return t, err
		}
	}
}

func (c *card) tries(ctx context.Context) (Tries, error) {
	left, err := ask(ctx, c, commandLimit, func(yk *piv.YubiKey) (int, error) { return yk.Retries() })
	switch {
	case errors.Is(err, errVerified):
		return Tries{Verified: true}, nil
	case err != nil:
		return Tries{}, fmt.Errorf("reading the tries of the PIN: %w", err)
	}
	return Tries{Left: left}, nil
}

// spare makes sure that a wrong PIN costs a try that there is, and not the last one
// unless that is wanted. What another program has had verified is forgotten: the card
// tells the tries only then.
func (c *card) spare(ctx context.Context, lastToo bool) error {
	t, err := c.tries(ctx)
	if err == nil && t.Verified {
		if _, err := ask(ctx, c, commandLimit, func(yk *piv.YubiKey) (bool, error) {
			return forget(yk), nil
		}); err != nil {
			return fmt.Errorf("making the card forget a PIN that was verified: %w", err)
		}
		t, err = c.tries(ctx)
	}
	switch {
	case err != nil:
		return err
	case t.Verified:
		return fmt.Errorf("the tries of the PIN can't be read: %w", errVerified)
	case t.Left == 0:
		return ErrBlocked
	case t.Left == 1 && !lastToo:
		return ErrLastTry
	}
	return nil
}

// verify sends the PIN, once.
func (c *card) verify(ctx context.Context, pin []byte) error {
	c.forget = true
	text := string(pin) // go-piv makes copies that nobody can wipe, too: the process ends soon
	_, err := ask(ctx, c, commandLimit, func(yk *piv.YubiKey) (struct{}, error) {
		return struct{}{}, yk.VerifyPIN(text)
	})
	var refused piv.AuthErr
	if errors.As(err, &refused) {
		return &WrongPIN{Left: refused.Retries}
	}
	if err != nil {
		return fmt.Errorf("verifying the PIN: %w", err)
	}
	return nil
}
