// Factorctl manages second factors: enrolment, codes for those who are locked
// out, and the answer to why a login went as it did.
package main

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/factord/factord/cmd/factorctl/ctl"
)

func main() {
	// Either may fail without the other: secrets of tokens stay out of core
	// files and away from debuggers as far as the system lets them.
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	os.Exit(ctl.Run(ctl.Config{Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}))
}
