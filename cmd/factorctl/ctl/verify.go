package ctl

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/factord/factord/cmd/factorctl/record"
)

// maxBad is how many bad lines are named.
const maxBad = 20

// verifyFile checks the chain of a copy.
func (a *app) verifyFile(path string) error {
	var in io.Reader = a.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	chain, err := record.Verify(in)
	if err != nil {
		return err
	}
	for _, place := range slices.Concat(chain.Bad[:min(len(chain.Bad), maxBad)], chain.Restores[:min(len(chain.Restores), maxBad)]) {
		a.printf("%s\n", place)
	}
	a.printf("%s\n", summary(chain))
	if len(chain.Bad) > 0 {
		return errors.New("the chain is broken\nhint: copies that factord could not write leave such gaps too; factorctl audit --since shows what its database has")
	}
	return nil
}

// summary says what was checked, and what nothing vouches for.
func summary(c record.Chain) string {
	text := "no records"
	if c.Records > 0 {
		text = fmt.Sprintf("%d records, %d to %d", c.Records, c.First, c.Last)
	}
	if n := len(c.Restores); n > 0 {
		text += fmt.Sprintf("; %d times a backup was restored: compare with when that was done", n)
	}
	if c.Refusals > 0 {
		text += fmt.Sprintf("\n%d lines of refusals before any factor are in no chain: nothing vouches for them", c.Refusals)
	}
	if c.Records > 0 {
		text += fmt.Sprintf("\nthe last record (%d) has none after it that vouches for it", c.Last)
	}
	return text
}
