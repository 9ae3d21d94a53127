package pam_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// serverConfig is sshd's configuration in front of what a snippet or a test has to
// say.
const serverConfig = `ListenAddress 127.0.0.1
Port %[1]d
PidFile none
HostKey %[2]s/host
AuthorizedKeysFile %[2]s/user.pub
StrictModes no
LogLevel VERBOSE
`

// sshdLines are the lines for sshd_config in a snippet's comment.
func sshdLines(t *testing.T, snippet string) string {
	t.Helper()
	block := regexp.MustCompile(`(?m)^#\n((?:#   [A-Z]\w+ \S+\n)+)#\n`).FindStringSubmatch(snippet)
	if block == nil {
		t.Fatal("the snippet has no lines for sshd_config")
	}
	return strings.ReplaceAll(block[1], "#   ", "")
}

// The lines for sshd_config are ones that sshd takes, and with them a key and a code
// are asked for, in this order, in the time that a question may take.
func TestSnippetSSHConfig(t *testing.T) {
	t.Parallel()
	l := snippetLab(t, "sshd")
	s := newSSHServer(t, 1)
	stack := l.snippet("sshd")
	s.start(pamtest.Service(t, stack), fmt.Sprintf(serverConfig, s.ports[0], s.dir)+sshdLines(t, stack))
	status, out := run(t, "", exec.Command("/usr/sbin/sshd", "-T", "-f", s.dir+"/config", "-C", "user="+l.who.Name+",host=localhost,addr=127.0.0.1"))
	if status != 0 {
		t.Fatalf("sshd -T: %s", out)
	}
	for _, want := range []string{"authenticationmethods publickey,keyboard-interactive:pam", "passwordauthentication no", "usepam yes",
		"kbdinteractiveauthentication yes", "logingracetime 120", "permituserenvironment no", "permituserrc no"} {
		if !strings.Contains(out, want+"\n") {
			t.Errorf("sshd -T does not say %q", want)
		}
	}
	x := s.ssh(t, l.who.Name)
	x.Expect(prompt)
	x.Type(l.code() + "\r")
	x.Expect("\n" + l.who.Name)
	if status := x.Wait(); status != 0 {
		t.Errorf("exit %d\n%s", status, x.Screen())
	}
	l.who = pamtest.NewAccount(t, "") // and who has none gets in with the key
	x = s.ssh(t, l.who.Name)
	x.Expect(l.who.Name + "\r\n")
	if status := x.Wait(); status != 0 {
		t.Errorf("not enrolled: exit %d\n%s", status, x.Screen())
	}
	l.lastRecord(map[string]string{"verdict": "allow", "basis": "not-enrolled"})
}

// The lines in the README's "Protect SSH" are those of the snippet.
func TestReadmeSSH(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	snippet, err := os.ReadFile("snippets/sshd")
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(string(readme), "\n## Protect SSH\n")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	blocks := regexp.MustCompile("(?ms)^ *```\n(.*?)^ *```\n").FindAllStringSubmatch(chapter, -1)
	stack := regexp.MustCompile(`(?m)^(?:auth .*|account .* pam_factord.*)\n`).FindAllString(string(snippet), -1)
	if len(blocks) < 3 || len(stack) != 3 {
		t.Fatalf("%d blocks, %q", len(blocks), stack)
	}
	for i, want := range []string{sshdLines(t, string(snippet)), stack[0] + stack[1], stack[2]} {
		if got := strings.ReplaceAll("\n"+blocks[i][1], "\n   ", "\n"); got != "\n"+want {
			t.Errorf("the README has %q, the snippet %q", got, want)
		}
	}
}

// With sshd_config as it was the stack is all that there is between the network and
// a shell: who has shown no key gets in by none of sshd's methods, and is asked
// nothing, whatever the rule.
func TestSnippetSSHWithoutKey(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{Config: "[[rule]]\nmode = \"exempt\"\n"})
	s := newSSHServer(t, 1)
	s.start(pamtest.Service(t, l.snippet("sshd")), fmt.Sprintf(serverConfig, s.ports[0], s.dir)+
		"UsePAM yes\nPasswordAuthentication yes\nKbdInteractiveAuthentication yes\nMaxAuthTries 10\n")
	for _, method := range []string{"keyboard-interactive", "password"} {
		x := pamtest.NewTerminal(t)
		x.Start(nil, s.client("ssh", "-o", "PreferredAuthentications="+method, "-l", l.who.Name, "port0", "id", "-un")...)
		if method == "password" {
			for range 3 {
				x.Expect("assword: ")
				x.Type(l.who.Password + "\r")
			}
		}
		x.Expect("Permission denied (")
		if status := x.Wait(); status != 255 {
			t.Errorf("%s: exit %d\n%s", method, status, x.Screen())
		}
	}
	if n := len(l.audit()); n != 1 { // the enrolment
		t.Errorf("factord was asked: %d records", n)
	}
	x := s.ssh(t, l.who.Name)
	x.Expect(l.who.Name + "\r\n") // the same configuration lets in with a key
}
