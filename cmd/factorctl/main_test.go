package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	_ "github.com/factord/factord/cmd/factorctl/ctl" // what is built here: no result of before it changed
)

// bin is where TestMain builds the programs.
var bin string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "factorctl-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	for _, program := range []string{"factorctl", "factord", "factor-helper"} {
		cmd := exec.Command("go", "build", "-o", dir+"/", "github.com/factord/factord/cmd/"+program)
		if program != "factord" {
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as they are shipped
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building %s: %v\n%s", program, err, out)
			return 1
		}
	}
	return m.Run()
}

// outcome is what came of a run.
type outcome struct {
	stdout, stderr string
	code           int
}

// command is a run of factorctl without a terminal: the tests must not ask
// whoever runs them.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, "factorctl"), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

func run(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	cmd := command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// want checks the exit status, and that the outputs have certain parts.
func (o outcome) want(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if o.code != code || !strings.Contains(o.stdout, stdout) || !strings.Contains(o.stderr, stderr) {
		t.Errorf("exit %d, want %d; stdout %q to have %q; stderr %q to have %q", o.code, code, o.stdout, stdout, o.stderr, stderr)
	}
}

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args   string
		code   int
		stdout string
		stderr string
	}{
		{"", 2, "", "a verb is missing\nhint: factorctl --help"},
		{"frob", 2, "", `unknown verb "frob"`},
		{"--sock ./s list", 2, "", "unknown flag: --sock\nhint: factorctl --help"},
		{"--frob=1 frob", 2, "", "unknown flag: --frob"},
		{"enrol totp", 2, "", "did you mean enroll?"},
		{"list --frob", 2, "", "unknown flag: --frob\nhint: factorctl list --help"},
		{"list alice bob", 2, "", `one argument too many: "bob"`},
		{"list alice --user bob", 2, "", `"alice" and --user "bob": one of them names the user`},
		{"status alice", 2, "", `one argument too many: "alice"`},
		{"explain alice", 2, "", "one argument too many: \"alice\"\nhint: --user alice\n"},
		{"test alice", 2, "", "hint: --user alice\n"},
		{"audit alice", 2, "", "hint: --user alice\n"},
		{"enroll totp alice", 2, "", "hint: --user alice\n"},
		{"enroll totp alice --user bob", 2, "", "too many: \"alice\"\nhint: factorctl enroll"},
		{"enroll", 2, "", "the FACTOR (totp, for example) is missing"},
		{"enroll totp --digits six", 2, "", "invalid argument \"six\" for \"--digits\" flag: no whole number\n"},
		{"enroll hotp --counter -1", 2, "", "flag: no whole number\n"},
		{"audit --last 99999999999999999999", 2, "", "flag: too large\n"},
		{"remove", 2, "", "the ID is missing"},
		{"remove a b c", 2, "", `one argument too many: "c"`},
		{"remove a b --user b", 2, "", "one of them names the user"},
		{"unlock", 2, "", "the USER is missing"},
		{"unlock u --user u", 2, "", "one of them names the user"},
		{"unlock --user=", 2, "", "the USER is missing"},
		{"invite", 2, "", "the USER is missing"},
		{"bypass u --for 1x", 2, "", `invalid argument "1x" for "--for" flag: not a time like 15m, 24h or 2d`},
		{"bypass u --for 1", 2, "", "not a time like"},
		{"bypass u --for -1h", 2, "", "there is no time in that"},
		{"bypass u --for 0d", 2, "", "there is no time in that"},
		{"explain --user u", 2, "", "--service is missing"},
		{"explain --service s --caller me", 2, "", "--caller is root or user"},
		{"audit --last 0", 2, "", "--last"},
		{"audit --last -1", 2, "", "--last"},
		{"audit --verdict maybe", 2, "", "allow, deny or wrong"},
		{"audit --since yesterday", 2, "", "hint: 2026-01-31"},
		{"audit --follow --refusals", 2, "", "--follow does not go with --refusals"},
		{"--socket", 2, "", "flag needs an argument"},
		{"list --socket @abstract", 2, "", "not a path"},
		{"list --json=maybe", 2, "", "--json"},
		{"--help", 0, "Usage: factorctl", ""},
		{"--version", 0, "factorctl ", ""},
		{"list --version", 2, "", "unknown flag: --version"},
		{"enroll --help", 0, "Examples:", ""},
		{"resync --help", 0, "Let the token", ""},
		{"test --help", 0, "For yourself, without root", ""},
		{"explain --help", 0, "--caller WHO ", ""},
		{"resync", 2, "", "the ID is missing"},
		{"resync hotp-1 u hotp-2", 2, "", "one argument too many"},
		{"import", 2, "", "the FILE is missing"},
		{"import /nope", 1, "", "reading the keys: open /nope"}, // whose they are, the file may say
		{"import k --user u --users f", 2, "", "one of --users and --user"},
		{"import /nope --user u", 1, "", "reading the keys: open /nope"},
		{"import / --user u", 1, "", "reading the keys: / is no file"},
		{"help audit", 0, "Usage: factorctl audit", ""},
		{"completion bash", 0, "complete -F _factorctl factorctl\n", ""},
		{"completion zsh", 0, "#compdef factorctl\n", ""},
		{"completion fish", 0, "complete -c factorctl ", ""},
		{"completion powershell", 2, "", `bash, zsh, fish, not for "powershell"`},
		{"completion", 2, "", "the SHELL (bash, zsh, fish) is missing"},
		{"--socket /nope status", 1, "", "connecting to /nope: no such file or directory\nhint: is factord running? systemctl status factord.socket"},
		{"--user u --json list --socket=/nope", 1, "", "/nope"},
		{"--refusals audit --socket /nope", 1, "", "/nope"},
		{"--no-confirm --socket /nope enroll --name x totp", 1, "", "/nope"},
		{"enroll totp --secret-file /nope", 1, "", "reading the secret: open /nope"},
		{"enroll yubico --private-id-file /nope", 2, "", "--private-id-file and --aes-key-file go together"},
		{"enroll yubico --aes-key-file /nope", 2, "", "go together"},
		{"enroll yubico --private-id-file /nope --aes-key-file /nope --secret-file /nope", 2, "", "--secret-file is not for"},
		{"enroll yubico --public-id cbcb --private-id-file /nope --aes-key-file /nope", 1, "", "reading the secret: open /nope"},
		{"check-config /nope", 1, "", "opening the configuration"},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			o := run(t, "", strings.Fields(test.args)...)
			o.want(t, test.code, test.stdout, test.stderr)
			if test.code != 0 && (!strings.HasPrefix(o.stderr, "factorctl: ") || o.stdout != "") {
				t.Errorf("stdout %q, stderr %q", o.stdout, o.stderr)
			}
		})
	}
}

// TestHelpNamesVerbs: the text of --help is written by hand.
func TestHelpNamesVerbs(t *testing.T) {
	help := run(t, "", "--help").stdout
	for _, line := range strings.Split(run(t, "", "__complete", "").stdout, "\n") {
		verb, _, _ := strings.Cut(line, "\t")
		if verb != "" && verb != "help" && verb[0] != ':' && !strings.Contains(help, "\n  "+verb+" ") {
			t.Errorf("--help does not name %q", verb)
		}
	}
}

// Flags that a verb has no use for are not in its help.
func TestHelpOfSocket(t *testing.T) {
	for verb, want := range map[string]bool{"list": true, "demo": false, "check-config": false, "completion": false} {
		if o := run(t, "", verb, "--help"); strings.Contains(o.stdout, "--socket") != want || !strings.Contains(o.stdout, "--json") {
			t.Errorf("%s: %s", verb, o.stdout)
		}
	}
}

func TestCheckConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", "[[rule]]\nservices = [\"sudo\"]\nfactors = [\"backup\"]\nenroll = \"login\"\n")
	bad := write("bad", "frob = 1\n[[rule]]\nfactors = []\n")
	run(t, "", "check-config", good).want(t, 0, "good: ok, 1 rule\n", "")
	run(t, "", "check-config", good).want(t, 0, "enroll has no effect", "")
	run(t, "", "check-config", good, "--json").want(t, 0, `"ok":true,"rules":1,`, "")
	run(t, "", "check-config", bad).want(t, 1, "", "bad:1: frob")
	if o := run(t, "", "check-config", bad); strings.Count(o.stderr, "factorctl: "+bad+":") != 2 {
		t.Errorf("not each error has the program's name: %q", o.stderr)
	}
	run(t, "", "check-config", bad, "--json").want(t, 1, `"ok":false`, "bad:3: factors")
}

// Who can't read the configuration is told how to have it checked.
func TestCheckConfigUnread(t *testing.T) {
	path := filepath.Join(t.TempDir(), "factord.toml")
	if err := os.WriteFile(path, nil, 0); err != nil {
		t.Fatal(err)
	}
	cmd := command("check-config", path)
	if os.Geteuid() == 0 {
		for dir := range map[string]bool{bin: true, filepath.Dir(path): true, filepath.Dir(filepath.Dir(path)): true} {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	out, err := cmd.CombinedOutput()
	want := "factorctl: opening the configuration: open " + path + ": permission denied\nhint: sudo factorctl check-config " + path + "\n"
	if err == nil || string(out) != want {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
}
