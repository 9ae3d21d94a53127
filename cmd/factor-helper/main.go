// Factor-helper asks factord whether a login may go on: under pam_exec, as sshd's
// ForceCommand, and in scripts. Its exit status is the verdict; only 0 allows.
package main

import (
	"os"
	"syscall"

	"github.com/factord/factord/helper"
)

func main() {
	os.Exit(helper.Run(helper.Config{
		Args:   os.Args[1:],
		Getenv: syscall.Getenv, Environ: syscall.Environ,
		Stdin:  0,
		Stdout: 1,
		Stderr: 2,
	}))
}
