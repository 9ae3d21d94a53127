package helper

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
)

// execve is syscall.Exec: it replaces the process and returns only an error.
type execve func(path string, argv, env []string) error

// exitNoSession is the status of a session that was allowed and cannot be
// started: what shells say of a command that they do not find.
const exitNoSession = 127

// defaultShell is what an empty shell in passwd(5) means.
const defaultShell = "/bin/sh"

// session is a program that takes this one's place.
type session struct {
	path string
	argv []string
}

// become turns the process into the session. execve(2) itself puts back what Go
// has changed: handlers of signals, PR_SET_DUMPABLE, and files that are not to be
// inherited; syscall.Exec the soft limit of open files. What was ignored before
// Go's start stays so for SIGHUP and SIGINT; sshd leaves nothing else ignored.
func (c Config) become(core syscall.Rlimit) int {
	s, err := c.session()
	if err == nil {
		_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &core)
		err = s.start(c.exec, sessionEnviron(c.Environ()))
	}
	put(c.Stderr, "factor-helper: "+err.Error()+"\n")
	return exitNoSession
}

// start returns only if the session's program cannot be started.
func (s session) start(exec execve, env []string) error {
	if exec == nil {
		exec = syscall.Exec
	}
	reason := "it returned"
	if err := exec(s.path, s.argv, env); err != nil {
		reason = err.Error()
	}
	return errors.New("starting " + strconv.Quote(s.path) + ": " + reason)
}

// session is what the client asked for.
func (c Config) session() (session, error) {
	command, given := c.Getenv(originalCommand)
	if args, ok := internalSFTP(command); given && ok {
		return sftpSession(args, sftpServers[:])
	}
	shell := c.loginShell(readFile(passwdFile), uint32(syscall.Getuid()))
	return shellSession(shell, command, given), nil
}

// shellSession is what sshd would have started (OpenSSH's session.c, do_child):
// the shell by its bare name with -c and the command as one argument, never
// looked into; or, without a command, the shell as a login shell. An empty
// command is a command.
func shellSession(shell, command string, given bool) session {
	name := shell[strings.LastIndexByte(shell, '/')+1:]
	if !given {
		return session{shell, []string{"-" + name}}
	}
	return session{shell, []string{name, "-c", command}}
}

// loginShell is that of passwd(5), which nobody but root writes: SHELL can be
// set by PermitUserEnvironment. It counts for users whom /etc/passwd does not
// have; for them sshd asked NSS.
func (c Config) loginShell(passwd []byte, uid uint32) string {
	name, _ := c.Getenv("LOGNAME") // chooses between names of this uid only
	shell, found := passwdShell(passwd, uid, name)
	if !found {
		shell, _ = c.Getenv("SHELL")
	}
	if !strings.HasPrefix(shell, "/") {
		return defaultShell
	}
	return shell
}

// sftpServers is where distributions keep the program that does what sshd's
// internal-sftp does: Debian; Fedora; Arch and Alpine; OpenSSH built for /usr.
var sftpServers = [...]string{
	"/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server",
	"/usr/lib/ssh/sftp-server", "/usr/libexec/sftp-server",
}

// sftpSession is the first of servers that there is.
func sftpSession(args, servers []string) (session, error) {
	const executable = 1 // X_OK of access(2)
	for _, path := range servers {
		if syscall.Access(path, executable) == nil {
			return session{path, append([]string{"sftp-server"}, args...)}, nil
		}
	}
	return session{}, errors.New("internal-sftp was asked for, and there is none of " + strings.Join(servers, ", ") +
		"\nhint: install sftp-server (Debian: openssh-sftp-server), or name it in sshd_config's Subsystem; in a ChrootDirectory it has to be inside")
}

// internalSFTP returns the arguments of sshd's internal-sftp, which is no
// program: ForceCommand takes its place, and gets its name as the command
// (OpenSSH's session.h, IS_INTERNAL_SFTP; split at blanks, without quoting).
func internalSFTP(command string) (args []string, ok bool) {
	rest, ok := strings.CutPrefix(command, "internal-sftp")
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return nil, false
	}
	return strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == '\t' }), true
}
