package helper

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/wire"
)

func TestParseArgs(t *testing.T) {
	tests := []struct {
		args string
		want options
		err  string
	}{
		{args: "pam", want: options{verb: "pam", socket: defaultSocket}},
		{args: "check", want: options{verb: "check", socket: defaultSocket}},
		{args: "ssh --service sshd-2", want: options{verb: "ssh", socket: defaultSocket, service: "sshd-2"}},
		{args: "--socket /s pam", want: options{verb: "pam", socket: "/s"}},
		{args: "pam --socket /s", want: options{verb: "pam", socket: "/s"}},
		{args: "--socket=/s pam --service=x", want: options{verb: "pam", socket: "/s", service: "x"}},
		{args: "--service x check --socket ./f.sock", want: options{verb: "check", socket: "./f.sock", service: "x"}},
		{args: "check --service=a=b", want: options{verb: "check", socket: defaultSocket, service: "a=b"}},
		{args: "check --service --help", want: options{verb: "check", socket: defaultSocket, service: "--help"}},
		{args: "-h", want: options{socket: defaultSocket, help: true}},
		{args: "help", want: options{socket: defaultSocket, help: true}},
		{args: "--version", want: options{socket: defaultSocket, version: true}},
		{args: "pam help", err: `one verb too many: "help"`},
		{args: "pam --help", want: options{verb: "pam", socket: defaultSocket, help: true}},

		{args: "", err: "a verb is missing: pam, ssh or check"},
		{args: "--socket /s", err: "a verb is missing"},
		{args: "sshd", err: `unknown verb "sshd": there are pam, ssh and check`},
		{args: "pam check", err: `one verb too many: "check"`},
		{args: "pam pam", err: `one verb too many: "pam"`},
		{args: "pam --socket", err: "--socket needs a value"},
		{args: "pam --socket=", err: "--socket needs a value"},
		{args: "pam --socket /a --socket /b", err: "--socket is given twice"},
		{args: "pam --user alice", err: `unknown flag "--user"`},
		{args: "pam -s", err: `unknown flag "-s"`},
		{args: "pam --", err: `unknown flag "--"`},
		{args: "pam -", err: `unknown flag "-"`},
		{args: "pam --socket @abstract", err: "not a path, but an abstract socket"},
		{args: "pam --socket /" + strings.Repeat("x", 107), err: "at most 107 bytes"},
	}
	for _, tt := range tests {
		got, err := parseArgs(strings.Fields(tt.args))
		if tt.err == "" && (err != nil || got != tt.want) {
			t.Errorf("%q: %+v, %v; want %+v", tt.args, got, err, tt.want)
		}
		if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%q: error %v, want %q", tt.args, err, tt.err)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	tests := []struct {
		name, args string
		env        map[string]string
		stderr     string
	}{
		{"no verb", "", nil, "a verb is missing"},
		{"sshd", "sshd", nil, "there are pam, ssh and check"},
		{"empty argument", "pam  ", login(), "unknown verb"},
		{"no PAM_TYPE", "pam", login("PAM_TYPE="), "PAM_TYPE is not set"},
		{"session", "pam", login("PAM_TYPE=open_session"), `PAM_TYPE is "open_session"`},
		{"password", "pam", login("PAM_TYPE=password"), `PAM_TYPE is "password"`},
		{"no PAM_USER", "pam", login("PAM_USER="), "PAM_USER is not set"},
		{"endless user", "pam", login("PAM_USER=" + strings.Repeat("x", 1000)), "does not fit"},
		{"help under PAM", "pam --help", login(), "no answer to PAM"},
		{"help as a verb under PAM", "help", login(), "no answer to PAM"},
		{"version under PAM", "--version", login(), "no answer to PAM"},
		{"version of a verb under PAM", "pam --version", login(), "no answer to PAM"},
		{"help under PAM, type only", "-h", map[string]string{"PAM_TYPE": ""}, "no answer to PAM"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := strings.Fields(tt.args)
			if tt.name == "empty argument" {
				args = []string{"pam", ""}
			}
			got := call{args: args, env: tt.env}.run(t)
			if got.code != exitUsage || !strings.Contains(got.stderr, tt.stderr) || !strings.Contains(got.stderr, "\nhint: ") {
				t.Errorf("exit %d, stdout %q, stderr %q", got.code, got.stdout, got.stderr)
			}
		})
	}
}

// Examples name the program that was asked, wherever it is installed.
func TestHelp(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"--help", "help"} {
		got := call{args: []string{args}}.run(t)
		if want := usage(self); got.code != 0 || got.stdout != want || got.stderr != "" {
			t.Errorf("exit %d, stdout %q, stderr %q", got.code, got.stdout, got.stderr)
		}
		for _, line := range []string{"pam_exec.so quiet stdout " + self + " pam\n", "ForceCommand " + self + " ssh\n", self + " check --service deploy && ./deploy\n"} {
			if !strings.Contains(got.stdout, line) {
				t.Errorf("no %q: %s", line, got.stdout)
			}
		}
	}
	for _, line := range strings.Split(usage(usualPath), "\n") {
		if len(line) > 80 {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
}

func TestVersion(t *testing.T) {
	if got := (call{args: []string{"--version"}}).run(t); got.code != 0 || got.stdout != "factor-helper (devel)\n" || got.stderr != "" {
		t.Errorf("exit %d, stdout %q, stderr %q", got.code, got.stdout, got.stderr)
	}
}

// Who can't reach factord is told what to look at, as by factorctl.
func TestUnreachable(t *testing.T) {
	dir := openDir(t)
	dead := filepath.Join(dir, "dead")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for socket, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file or directory\nhint: is factord running? systemctl status factord.socket\nhint: one that listens elsewhere: --socket PATH\n",
		dead:                       "connection refused\nhint: is factord running? systemctl status factord.socket\n",
	} {
		if got := (call{args: []string{"check", "--socket", socket}}).run(t); got.code != exitUnavailable || !strings.Contains(got.stderr, want) {
			t.Errorf("exit %d, %q", got.code, got.stderr)
		}
	}
}

func FuzzParseArgs(f *testing.F) {
	f.Add("pam\x00--socket\x00/s")
	f.Add("--service=x\x00check\x00-h")
	f.Add("--socket=@x\x00pam")
	f.Fuzz(func(t *testing.T, joined string) {
		o, err := parseArgs(strings.Split(joined, "\x00"))
		if err != nil {
			if (o != options{}) {
				t.Errorf("%v, and options %+v", err, o)
			}
			return
		}
		if !o.help && !o.version && o.verb != "pam" && o.verb != "ssh" && o.verb != "check" {
			t.Errorf("verb %q", o.verb)
		}
		if o.socket == "" || o.socket[0] == '@' || len(o.socket) > wire.MaxSocketPath {
			t.Errorf("socket %q", o.socket)
		}
	})
}
