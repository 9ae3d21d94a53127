package ctl

import (
	"errors"
	"io"
	"os"

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
	for _, bad := range chain.Bad[:min(len(chain.Bad), maxBad)] {
		a.printf("%s\n", bad)
	}
	if chain.Records > 0 {
		a.printf("%d records, %d to %d\n", chain.Records, chain.First, chain.Last)
	} else {
		a.printf("no records\n")
	}
	if len(chain.Bad) > 0 {
		return errors.New("the chain is broken\nhint: a restore or rekey, or copies that factord could not write, leave such gaps too; factorctl audit --since shows what its database has")
	}
	return nil
}
