package helper

import "strings"

// notForSession are the variables that a session does not get; a final * stands
// for any ending. They are what makes the programs that start now, the login
// shell and whatever is linked with the C library, load or run something that
// nobody asked for by name, and what sshd alone would not have set. A client can
// set them where AcceptEnv is too wide, a user in ~/.ssh/environment.
//
// This closes no hole in factord: sshd's own "$SHELL -c" has read them before the
// helper ran, which is why AcceptEnv must be narrow, and whoever was allowed can
// set them again. It keeps what was slipped in for one program from lying in wait
// for those behind the verdict; and the snippet's SetEnv, which keeps the first
// shell from start-up files, does not keep the session from them.
//
// Left alone are interpreters (PERL5LIB, PYTHONPATH), a list without an end that
// people use, and Go's variables (GODEBUG, GOTRACEBACK): they have reached the
// helper's runtime before its first line, where the worst that they can make is a
// crash, which refuses.
var notForSession = [...]string{
	// The loader and the C library: the list that they drop themselves for
	// set-user-ID programs (glibc's unsecvars.h), without TMPDIR, which
	// pam_mktemp and batch systems set.
	"LD_*", "GLIBC_TUNABLES", "GCONV_PATH", "GETCONF_DIR", "HOSTALIASES", "LOCALDOMAIN",
	"LOCPATH", "MALLOC_TRACE", "NIS_PATH", "NLSPATH", "RESOLV_HOST_CONF", "RES_OPTIONS", "TZDIR",
	// Files that a shell runs at its start: bash -c, sh, zsh.
	"BASH_ENV", "ENV", "ZDOTDIR",
	// Commands inside of a value: functions that take a command's place, and
	// what bash expands at each prompt and, with set -x, at each command.
	"BASH_FUNC_*", "PROMPT_COMMAND", "PS0", "PS1", "PS2", "PS4",
	// Options and paths that change what a shell reads in a command.
	"SHELLOPTS", "BASHOPTS", "BASH_XTRACEFD", "BASH_LOADABLES_PATH", "IFS", "CDPATH", "GLOBIGNORE",
	"EXECIGNORE", "FPATH", "NULLCMD", "READNULLCMD", "fish_*", "__fish_*",
	// Made by the shell that started the helper; the next one makes its own.
	"_", "SHLVL", "PWD", "OLDPWD",
	// Read already. A forced command further on would take it for its own.
	originalCommand,
}

// sessionEnviron is env without notForSession, in the same order.
func sessionEnviron(env []string) []string {
	kept := make([]string, 0, len(env))
	for _, variable := range env {
		name, _, ok := strings.Cut(variable, "=")
		if ok && name != "" && !isNotForSession(name) {
			kept = append(kept, variable)
		}
	}
	return kept
}

func isNotForSession(name string) bool {
	for _, pattern := range notForSession {
		prefix, open := strings.CutSuffix(pattern, "*")
		if name == pattern || open && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
