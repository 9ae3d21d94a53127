package helper

import "syscall"

// usualPath is where packages install the program.
const usualPath = "/usr/libexec/factor-helper"

// maxPath is the longest path in Linux, its final NUL included (path_resolution(7)).
const maxPath = 4096

// ownPath is where this program is, for examples that can be copied.
func ownPath() string {
	var path [maxPath]byte
	n, err := syscall.Readlink("/proc/self/exe", path[:])
	if err != nil || n == 0 || n == len(path) {
		return usualPath
	}
	return string(path[:n])
}

// usage is the help of the program at path.
func usage(path string) string {
	return `factor-helper asks factord whether a login may go on.

Usage:
  factor-helper [--socket PATH] pam   [--service NAME]
  factor-helper [--socket PATH] ssh   [--service NAME]
  factor-helper [--socket PATH] check [--service NAME]

pam    Runs under pam_exec. Who asks, and for what, is in the variables that
       pam_exec sets; PAM_TYPE must be auth or account. With expose_authtok the
       value typed there answers the first question, and further questions are
       cancelled. Without it the questions are put on the terminal that PAM_TTY
       names, if there is one.

         auth required pam_exec.so quiet stdout ` + path + ` pam

ssh    Runs as the user, as sshd's ForceCommand. Asks on the session's terminal;
       without one (scp, sftp, rsync, git) nobody can be asked, stdout stays
       empty and a refusal is told on stderr. Once allowed it becomes what was
       asked for: the command, the login shell, sftp-server for internal-sftp.

         Match all
             ForceCommand ` + path + ` ssh
             DisableForwarding yes

       ForceCommand stops neither forwarding nor the shell's start-up files: the
       snippet sshd-forcecommand says what else it takes.

check  Asks about the user who runs it, on the terminal: for scripts. Messages
       go to stderr, and stdout stays empty. It needs a rule for this service
       with callers = ["user"].

         ` + path + ` check --service deploy && ./deploy

Flags, before or after the verb:
  --socket PATH   factord's socket (default ` + defaultSocket + `)
  --service NAME  the service that factord's rules see: "sshd" for ssh, "check"
                  for check if left out; for pam only if PAM_SERVICE is empty
  -h, --help      this text
  --version       which factord this belongs to

At a question Enter sends the answer, Ctrl-U clears it, Ctrl-C cancels.

Exit status:
  0  allowed
  1  denied
  2  called in a wrong way
  3  factord cannot be reached, or is unavailable
Everything that is not 0 is a refusal. Of an allowed ssh the status is the
session's own, or 127 if the session cannot be started.
`
}
