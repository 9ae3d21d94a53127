package helper

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestShellSession(t *testing.T) {
	tests := []struct {
		shell, command string
		given          bool
		want           session
	}{
		{"/bin/bash", "", false, session{"/bin/bash", []string{"-bash"}}},
		{"/bin/bash", "", true, session{"/bin/bash", []string{"bash", "-c", ""}}},
		{"/usr/bin/fish", " a; b\n'$(c)", true, session{"/usr/bin/fish", []string{"fish", "-c", " a; b\n'$(c)"}}},
		{"/", "x", true, session{"/", []string{"", "-c", "x"}}},
	}
	for _, tt := range tests {
		got := shellSession(tt.shell, tt.command, tt.given)
		if got.path != tt.want.path || !slices.Equal(got.argv, tt.want.argv) {
			t.Errorf("%q, %q, %v: %+v", tt.shell, tt.command, tt.given, got)
		}
	}
}

// Who is not in /etc/passwd has the shell that sshd found elsewhere.
func TestLoginShell(t *testing.T) {
	const passwd = "alice:x:1000:1000::/home/alice:/bin/zsh\nal:x:1000:1000::/:/bin/dash\nodd:x:1001:1001::/:sh\n"
	tests := []struct {
		uid            uint32
		logname, shell string
		want           string
	}{
		{1000, "alice", "/tmp/own", "/bin/zsh"},
		{1000, "al", "/tmp/own", "/bin/dash"},
		{1000, "root", "", "/bin/zsh"},
		{1001, "odd", "/tmp/own", "/bin/sh"},
		{1002, "ldap", "/bin/fish", "/bin/fish"},
		{1002, "alice", "fish", "/bin/sh"},
		{1002, "", "", "/bin/sh"},
	}
	for _, tt := range tests {
		env := map[string]string{"LOGNAME": tt.logname, "SHELL": tt.shell}
		c := Config{Getenv: func(k string) (string, bool) { v, ok := env[k]; return v, ok }}
		if got := c.loginShell([]byte(passwd), tt.uid); got != tt.want {
			t.Errorf("uid %d, %v: %q, want %q", tt.uid, env, got, tt.want)
		}
	}
}

func TestInternalSFTP(t *testing.T) {
	tests := map[string][]string{
		"internal-sftp":                   {},
		"internal-sftp ":                  {},
		"internal-sftp -f AUTH -l INFO":   {"-f", "AUTH", "-l", "INFO"},
		"internal-sftp\t-d  /a":           {"-d", "/a"},
		"internal-sftp -d '/a b' $(id);x": {"-d", "'/a", "b'", "$(id);x"},
		"":                                nil,
		"internal-sftp;id":                nil,
		"internal-sftp\n-f":               nil,
		"internal-sftpd":                  nil,
		" internal-sftp":                  nil,
		"/usr/lib/openssh/sftp-server":    nil,
	}
	for command, want := range tests {
		args, ok := internalSFTP(command)
		if ok != (want != nil) || !slices.Equal(args, want) {
			t.Errorf("%q: %q, %v", command, args, ok)
		}
	}
}

func FuzzInternalSFTP(f *testing.F) {
	f.Add("internal-sftp -f AUTH -l INFO")
	f.Add("internal-sftp\t")
	f.Add("internal-sftpx")
	f.Fuzz(func(t *testing.T, command string) {
		args, ok := internalSFTP(command)
		if ok != (command == "internal-sftp" || strings.HasPrefix(command, "internal-sftp ") || strings.HasPrefix(command, "internal-sftp\t")) {
			t.Errorf("%q: %v", command, ok)
		}
		for _, arg := range args {
			if arg == "" || strings.ContainsAny(arg, " \t") {
				t.Errorf("%q: argument %q", command, arg)
			}
		}
	})
}

func TestSFTPSession(t *testing.T) {
	dir := t.TempDir()
	none, plain, program := filepath.Join(dir, "none"), filepath.Join(dir, "plain"), filepath.Join(dir, "program")
	for path, mode := range map[string]os.FileMode{plain: 0o644, program: 0o755} {
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	s, err := sftpSession([]string{"-R"}, []string{none, plain, program, "/bin/sh"})
	if err != nil || s.path != program || !slices.Equal(s.argv, []string{"sftp-server", "-R"}) {
		t.Errorf("%+v, %v", s, err)
	}
	_, err = sftpSession(nil, []string{none, plain})
	if err == nil || !strings.Contains(err.Error(), none+", "+plain+"\nhint: ") {
		t.Errorf("%v", err)
	}
}

// A program that cannot be started is no success.
func TestNoSession(t *testing.T) {
	err := session{path: "/none", argv: []string{"none"}}.start(nil, nil)
	if err == nil || err.Error() != `starting "/none": no such file or directory` {
		t.Errorf("%v", err)
	}
	socket := serve(t, func(d *peer) { d.greet(); d.put(sayAllow...) })
	var became session
	got := call{args: []string{"ssh", "--socket", socket}, became: &became}.run(t)
	if got.code != exitNoSession || got.stdout != "" || !strings.HasSuffix(got.stderr, ": it returned\n") {
		t.Errorf("exit %d, stdout %q, stderr %q", got.code, got.stdout, got.stderr)
	}
	if len(became.argv) != 1 || became.argv[0][0] != '-' {
		t.Errorf("%+v", became)
	}
}

func TestSessionEnviron(t *testing.T) {
	kept := []string{
		"LANG=C.UTF-8", "LC_ALL=C", "LC_FOO=$(id)", "TERM=xterm", "SSH_CONNECTION=a b c d", "SSH_CLIENT=a b c", "SSH_TTY=/dev/pts/0",
		"SSH_AUTH_SOCK=/tmp/a", "SSH_USER_AUTH=/tmp/b", "DISPLAY=:10", "KRB5CCNAME=x", "XDG_SESSION_ID=3", "XDG_RUNTIME_DIR=/run/user/1",
		"HOME=/", "USER=u", "LOGNAME=u", "PATH=/bin", "MAIL=/m", "SHELL=/bin/sh", "TMPDIR=/t", "TZ=UTC", "GIT_PROTOCOL=version=2",
		"EMPTY=", "LD=1", "ENVIRONMENT=x", "_x=1", "PSX=1", "FISH_X=1", "BASH=1",
	}
	dropped := []string{
		"LD_PRELOAD=/x", "LD_=1", "LD_LIBRARY_PATH=", "GLIBC_TUNABLES=x", "GCONV_PATH=.", "LOCPATH=.", "BASH_ENV=$(id)", "ENV=x", "ZDOTDIR=/tmp",
		"BASH_FUNC_ls%%=() { id; }", "BASH_FUNC_/bin/ls%%=() { id; }", "PROMPT_COMMAND=id", "PS1=$(id)", "PS4=$(id)", "SHELLOPTS=xtrace",
		"BASHOPTS=x", "IFS=/", "CDPATH=/tmp", "FPATH=/tmp", "fish_function_path=/tmp", "_=/usr/libexec/factor-helper", "SHLVL=0", "PWD=/", "OLDPWD=/",
		"SSH_ORIGINAL_COMMAND=id", "noequals", "=empty", "",
	}
	var mixed []string
	for i := range max(len(kept), len(dropped)) {
		if i < len(kept) {
			mixed = append(mixed, kept[i])
		}
		if i < len(dropped) {
			mixed = append(mixed, dropped[i])
		}
	}
	if got := sessionEnviron(mixed); !slices.Equal(got, kept) {
		t.Errorf("%q", got)
	}
}
