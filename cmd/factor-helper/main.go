// Factor-helper asks factord whether a login may go on: under pam_exec, as sshd's
// ForceCommand, and in scripts. Its exit status is the verdict; only 0 allows.
package main

import (
	"os"
	"syscall"

	"github.com/factord/factord/helper"
)

// version is set by make: package runtime/debug, which could tell, links in more
// than a program that starts at every login is to pay for.
var version string

func main() {
	os.Exit(helper.Run(helper.Config{
		Args:    os.Args[1:],
		Version: version,
		Getenv:  syscall.Getenv, Environ: syscall.Environ,
		Stdin:  0,
		Stdout: 1,
		Stderr: 2,
	}))
}
