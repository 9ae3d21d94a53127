package helper

const usage = `factor-helper asks factord whether a login may go on.

Usage:
  factor-helper [--socket PATH] pam   [--service NAME]
  factor-helper [--socket PATH] ssh   [--service NAME]
  factor-helper [--socket PATH] check [--service NAME]

pam    Runs under pam_exec. Who asks, and for what, is in the variables that
       pam_exec sets; PAM_TYPE must be auth or account. With expose_authtok the
       value typed there answers the first question, and further questions are
       cancelled. Without it the questions are put on the terminal that PAM_TTY
       names, if there is one.

         auth required pam_exec.so quiet stdout /usr/libexec/factor-helper pam

ssh    Runs as the user, as sshd's ForceCommand. Asks on the session's terminal;
       without one (scp, sftp, rsync, git) nobody can be asked, stdout stays
       empty and a refusal is told on stderr. Once allowed it becomes what was
       asked for: the command, the login shell, sftp-server for internal-sftp.

         Match all
             ForceCommand /usr/libexec/factor-helper ssh
             DisableForwarding yes

       ForceCommand stops neither forwarding nor the shell's start-up files: the
       snippet sshd-forcecommand says what else it takes.

check  Asks about the user who runs it, on the terminal: for scripts. Messages
       go to stderr, and stdout stays empty.

         factor-helper check --service deploy && ./deploy

Flags, before or after the verb:
  --socket PATH   factord's socket (default ` + defaultSocket + `)
  --service NAME  the service that factord's rules see: "sshd" for ssh, "check"
                  for check if left out; for pam only if PAM_SERVICE is empty
  -h, --help      this text

At a question Enter sends the answer, Ctrl-U clears it, Ctrl-C cancels.

Exit status:
  0  allowed
  1  denied
  2  called in a wrong way
  3  factord cannot be reached, or is unavailable
Everything that is not 0 is a refusal. Of an allowed ssh the status is the
session's own, or 127 if the session cannot be started.
`
