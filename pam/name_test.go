package pam_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/pam/pamtest"
)

// Names that are no user's are refused, whoever sends them, and factord goes on.
func TestNames(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	service := pamtest.Service(t, l.snippet("sudo-expose_authtok"))
	name := l.who.Name
	for _, bad := range []string{
		name + "\n", "\n" + name, name + "\nroot", name + ":", name + ":0", "/etc/passwd", "../" + name, name + "/", " " + name, name + " ",
		strings.Repeat("x", 300), name + strings.Repeat("x", 300), name + "\xff", "\xc3\x28", "-" + name, "%s%n", "", "no-such-user", name + "\x7f", name + "\u202e",
	} {
		code := l.codes[0] // right for the one whose name it nearly is
		c := dial(t, l.Socket, -1)
		c.send("AUTH user=" + wire.Escape(bad) + " service=sudo conv=prompt\n")
		if v := answered(c, code); v.Allow {
			t.Errorf("user %q: %+v", bad, v)
		}
		helper := exec.Command(l.helper(), "pam", "--socket", l.Socket)
		helper.Env = []string{"PAM_TYPE=auth", "PAM_USER=" + bad, "PAM_SERVICE=sudo"}
		if status, out := run(t, code, helper); status == 0 {
			t.Errorf("user %q: factor-helper exits 0: %s", bad, out)
		}
		if bad == "" {
			continue // pamtester would ask for a name
		}
		if status, out := run(t, code+"\n", exec.Command("pamtester", service, bad, "authenticate")); status == 0 {
			t.Errorf("user %q: pamtester exits 0: %s", bad, out)
		}
	}
	if v := l.Login(-1, l.auth("sudo"), l.code()); !v.Allow {
		t.Errorf("afterwards: %+v", v)
	}
}

// answered gives an answer if there is a question, and returns the verdict.
func answered(c *client, answer string) wire.Verdict {
	c.t.Helper()
	line := c.line()
	if strings.HasPrefix(line, "INQUIRE ") {
		c.answer(answer)
		return c.verdict()
	}
	_, rest, found := strings.Cut(line, "S VERDICT ")
	if !found {
		c.t.Fatalf("no verdict, but %q", line)
	}
	v, err := wire.ParseVerdict(rest)
	if err == nil {
		v, err = v.Confirm(c.line())
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return v
}

// Two names of one uid are one account: it has one set of codes, one budget and
// one name in the log.
func TestAliases(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	service := pamtest.Service(t, l.snippet("sudo-expose_authtok"))
	other := *l
	other.who = l.who.Alias(t)
	code := l.code()
	if status := l.pamtester(service, code); status != 0 {
		t.Fatalf("exit %d", status)
	}
	if status := other.pamtester(service, code); status != 1 {
		t.Errorf("a code that was spent under the other name: exit %d", status)
	}
	if v := l.Login(-1, wire.Auth{User: other.who.Name, Service: "sudo"}, code); v.Allow || v.Reason != wire.ReasonReplayed {
		t.Errorf("the same over the socket: %+v", v)
	}
	code = l.code()
	if status := other.pamtester(service, code); status != 0 {
		t.Errorf("a new code under the other name: exit %d", status)
	}
	l.lastRecord(map[string]string{"verdict": "allow", "user": l.who.Name})
	if status := l.pamtester(service, code); status != 1 {
		t.Errorf("the same under the first name: exit %d", status)
	}
}

// Another uid can't ask for alice. That it reaches the socket and could log in as
// itself shows that this is what refuses it.
func TestAnotherUID(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	mallory := *l
	mallory.who = pamtest.NewAccount(t, "")
	mallory.enroll()
	uid := mallory.who.UID
	for _, service := range []string{"sudo", "sshd", "screen"} {
		v := l.Login(uid, l.auth(service), l.codes[0])
		if v.Allow || v.Reason != wire.ReasonNotPermitted {
			t.Errorf("mallory asks for alice: %+v", v)
		}
		if v := l.Login(uid, mallory.auth(service), mallory.code()); !v.Allow {
			t.Errorf("mallory asks for herself: %+v", v)
		}
		if v := l.Login(uid, wire.Auth{Service: service, First: true}, mallory.code()); !v.Allow {
			t.Errorf("mallory does not say who she is: %+v", v)
		}
	}
	for _, command := range []string{"LIST user=" + l.who.Name, "ENROLL factor=totp no-confirm=1 user=" + l.who.Name, "AUDIT",
		"UNLOCK user=" + l.who.Name, "BYPASS user=" + mallory.who.Name, "INVITE user=" + mallory.who.Name, "EXPLAIN service=sudo user=" + l.who.Name,
		"REMOVE id=totp-1 user=" + l.who.Name} {
		if data, err := factordtest.Call(l.Socket, uid, command, mallory.codes[0]); err == nil {
			t.Errorf("%s is served to mallory: %q", command, data)
		}
	}
	if v := l.Login(-1, l.auth("sudo"), l.code()); !v.Allow { // nothing was spent or counted
		t.Errorf("alice: %+v", v)
	}
}
