package piv

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-piv/piv-go/v2/piv"
)

const maxReaders = 16 // PCSCLITE_MAX_READERS_CONTEXTS

// ours reports whether a reader is a YubiKey. Yubico's own tools go by the name, too. A
// card in another reader is not ours to hold, for that is what it takes to look at it.
func ours(reader string) bool { return strings.Contains(strings.ToLower(reader), "yubikey") }

// readers lists the readers that are YubiKeys, and the others.
func readers(ctx context.Context) (keys, others []string, err error) {
	type answer struct {
		names []string
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		names, err := guard(piv.Cards)
		answers <- answer{names, err}
	}()
	select {
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	case <-time.After(commandLimit):
		return nil, nil, fmt.Errorf("listing readers: %w", ErrService)
	case a := <-answers:
		if a.err != nil {
			return nil, nil, fmt.Errorf("listing readers: %w", a.err)
		}
		for _, name := range a.names[:min(len(a.names), maxReaders)] {
			if ours(name) {
				keys = append(keys, name)
			} else {
				others = append(others, name)
			}
		}
		return keys, others, nil
	}
}
