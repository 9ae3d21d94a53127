package pam_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// exemptUser lets everybody in who asks for themself, and asks nothing.
const exemptUser = `
[[rule]]
name = "free"
services = ["sshd"]
callers = ["user"]
mode = "exempt"
`

// gateConfig is sshd's configuration in front of the snippet. The snippet holds
// for the first port alone: what comes in by the second is the same sshd without
// ForceCommand, to compare with.
const gateConfig = `ListenAddress 127.0.0.1
Port %d
Port %d
PidFile none
HostKey %[3]s/host
AuthorizedKeysFile %[3]s/user.pub
StrictModes no
LogLevel VERBOSE
UsePAM yes
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthenticationMethods publickey
Subsystem sftp %[4]s
`

// gateService is a PAM stack that asks nobody anything.
const gateService = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"

// The two hosts of a gate.
const (
	gated = "port0"
	plain = "port1"
)

// gate is sshd with the snippet sshd-forcecommand, with factord behind it and a
// person who has a home.
type gate struct {
	*lab
	sshServer
	t    *testing.T
	home string
}

// gateOptions of a gate. The zero value is the snippet as shipped with a person
// who has a token and bash.
type gateOptions struct {
	rules string // instead of the snippet's
	shell string
	sftp  string   // the subsystem, instead of internal-sftp
	sshd  string   // lines before the snippet's
	less  []string // lines of the snippet, by their first word, that are left out
	more  string   // lines after the snippet's
	pam   string   // instead of gateService
	wrap  []string // a command that becomes sshd
}

func newGate(t *testing.T, o gateOptions) *gate {
	t.Helper()
	factordtest.NeedRoot(t)
	factordtest.NeedProgram(t, "oathtool")
	snippet, err := os.ReadFile("snippets/sshd-forcecommand")
	if err != nil {
		t.Fatal(err)
	}
	if o.rules == "" {
		o.rules = ruleOf(t, string(snippet))
	}
	if o.shell == "" {
		o.shell = "/bin/bash"
	}
	if o.sftp == "" {
		o.sftp = "internal-sftp"
	}
	if o.pam == "" {
		o.pam = gateService
	}
	g := &gate{t: t, home: factordtest.OpenDir(t), sshServer: newSSHServer(t, 2)}
	g.lab = &lab{t: t, who: pamtest.NewUser(t, o.shell, g.home),
		Process: factordtest.StartProcess(t, factordtest.ProcessOptions{Config: "[totp]\nwindow = 10\n" + o.rules})}
	g.enroll()
	config := fmt.Sprintf(gateConfig, g.ports[0], g.ports[1], g.sshServer.dir, o.sftp) + o.sshd + g.lines(string(snippet), o.less) + o.more
	g.sshServer.start(pamtest.Service(t, o.pam), config, o.wrap...)
	return g
}

// ruleOf is the rule for factord.toml in the snippet's comment.
func ruleOf(t *testing.T, snippet string) string {
	t.Helper()
	rule := regexp.MustCompile(`(?m)^#   \[\[rule\]\]\n(#   .*\n)+`).FindString(snippet)
	if rule == "" {
		t.Fatal("the snippet has no rule")
	}
	return strings.ReplaceAll(rule, "#   ", "")
}

// lines are the snippet's for this lab and the first port, without some.
func (g *gate) lines(snippet string, less []string) string {
	g.t.Helper()
	for shipped, here := range map[string]string{
		"\nMatch all\n": fmt.Sprintf("\nMatch LocalPort %d\n", g.ports[0]),
		"\n    ForceCommand /usr/libexec/factor-helper ssh\n": "\n    ForceCommand " + g.helper() + " --socket " + g.Socket + " ssh\n",
	} {
		if n := strings.Count(snippet, shipped); n != 1 {
			g.t.Fatalf("the snippet has %q %d times", shipped, n)
		}
		snippet = strings.Replace(snippet, shipped, here, 1)
	}
	for _, word := range less {
		line := regexp.MustCompile(`(?m)^ *` + word + ` .*\n`)
		if !line.MatchString(snippet) {
			g.t.Fatalf("the snippet has no line %q", word)
		}
		snippet = line.ReplaceAllString(snippet, "")
	}
	return snippet
}

// clientTime is how long a client may take.
const clientTime = 60 * time.Second

// result is what came of a client.
type result struct {
	status    int
	out, errs string
}

// do runs a program without a terminal.
func (g *gate) do(stdin string, argv ...string) result {
	g.t.Helper()
	return g.doIn(nil, stdin, argv...)
}

// doIn is do with more variables.
func (g *gate) doIn(env []string, stdin string, argv ...string) result {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), clientTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	cmd.Env = append(os.Environ(), env...)
	cmd.Run()
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// ssh runs a command on a host.
func (g *gate) ssh(host string, args ...string) result {
	g.t.Helper()
	return g.do("", g.client("ssh", append([]string{"-l", g.who.Name, host}, args...)...)...)
}

// onTerminal starts ssh with options on a terminal.
func (g *gate) onTerminal(args ...string) *pamtest.Terminal {
	g.t.Helper()
	x := pamtest.NewTerminal(g.t)
	x.Start(nil, g.client("ssh", append([]string{"-l", g.who.Name}, args...)...)...)
	return x
}

// put makes a file in the person's home, and of the person.
func (g *gate) put(name, text string, mode os.FileMode) string {
	g.t.Helper()
	path := filepath.Join(g.home, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), mode)
	}
	if err == nil {
		err = os.Chown(path, g.who.UID, g.who.GID)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	return path
}

// asked is how many verdicts factord's log has.
func (g *gate) asked() int { return strings.Count(g.Log(), " msg=verdict ") }
