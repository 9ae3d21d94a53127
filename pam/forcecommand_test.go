package pam_test

import (
	"strings"
	"testing"
)

// A session with a terminal is asked, whatever it is for.
func TestForceCommandTerminal(t *testing.T) {
	t.Parallel()
	g := newGate(t, gateOptions{})
	x := g.onTerminal(gated)
	x.Expect("Passcode: ")
	code := g.code()
	x.Type(code + "\r")
	x.Expect("$ ")
	x.Type("tr '\\0' ' ' < /proc/$$/cmdline; echo; shopt login_shell; exit 7\r")
	x.Expect("-bash \r\n")
	x.Expect("login_shell    \ton")
	if status := x.Wait(); status != 7 || strings.Contains(x.Screen(), code) {
		t.Errorf("exit %d\n%s", status, x.Screen())
	}
	g.lastRecord(map[string]string{"verdict": "allow", "basis": "factor", "factor": "totp", "service": "sshd"})

	x = g.onTerminal("-tt", gated, "tty; exit 7")
	x.Expect("Passcode: ")
	x.Type(g.code() + "\r")
	x.Expect("/dev/pts/")
	if status := x.Wait(); status != 7 {
		t.Errorf("exit %d\n%s", status, x.Screen())
	}
	g.lastRecord(map[string]string{"verdict": "allow", "command": "tty; exit 7"})
}

// Wrong codes, a code that was used and Ctrl-C end the session with status 1.
func TestForceCommandRefused(t *testing.T) {
	t.Parallel()
	g := newGate(t, gateOptions{})
	used := g.code()
	x := g.onTerminal("-tt", gated, "true")
	x.Expect("Passcode: ")
	x.Type(used + "\r")
	if status := x.Wait(); status != 0 {
		t.Errorf("exit %d\n%s", status, x.Screen())
	}
	for _, answers := range [][]string{{g.wrong(), g.wrong(), g.wrong()}, {"\x03"}, {used, "\x03"}} {
		x := g.onTerminal("-tt", gated, "touch ran")
		for _, answer := range answers {
			x.Expect("Passcode: ")
			x.Type(answer)
			if answer != "\x03" {
				x.Type("\r")
			}
		}
		if status := x.Wait(); status != 1 {
			t.Errorf("%q: exit %d\n%s", answers, status, x.Screen())
		}
	}
	if r := g.ssh(plain, "ls"); r.out != "" {
		t.Errorf("the command ran: %q", r.out)
	}
}

// Without a terminal nobody is asked, and one line on stderr says so. Nothing is
// on stdout, where scp and git would read it.
func TestForceCommandWithoutTerminal(t *testing.T) {
	t.Parallel()
	g := newGate(t, gateOptions{})
	const want = "factor-helper: this login can't ask for a code: there is no terminal to ask on; ssh -t has one, " +
		"and for scp, sftp, rsync or git an administrator can write a rule that asks nothing\n"
	remote := g.who.Name + "@" + gated
	for _, c := range []struct {
		argv []string
		errs string
	}{
		{g.client("ssh", remote, "touch ran"), want},
		{g.client("ssh", "-T", remote), want},
		{g.client("scp", "-O", "/etc/hostname", remote+":ran"), want},
		{[]string{"rsync", "-e", strings.Join(g.client("ssh"), " "), "/etc/hostname", remote + ":ran"}, want},
		{[]string{"git", "-c", "core.sshCommand=" + strings.Join(g.client("ssh"), " "), "ls-remote", remote + ":ran"}, want},
		// sshd drops what a subsystem writes to stderr.
		{g.client("ssh", remote, "-s", "sftp"), ""},
		{g.client("scp", "/etc/hostname", remote+":ran"), "scp: Connection closed"},
		{g.client("sftp", remote), "Connection closed"},
	} {
		r := g.do("", c.argv...)
		if r.status == 0 || r.out != "" || !strings.Contains(r.errs, c.errs) || c.argv[0] == "ssh" && (r.status != 1 || r.errs != c.errs) {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", c.argv, r.status, r.out, r.errs)
		}
	}
	if r := g.ssh(plain, "ls"); r.out != "" {
		t.Errorf("something ran: %q", r.out)
	}
}

// What is refused before anything is asked.
func TestForceCommandNoRule(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string]string{
		"none":                  "[[rule]]\nservices = [\"sudo\"]\ncallers = [\"user\"]\nmode = \"exempt\"\n",
		"for PAM":               "[[rule]]\nservices = [\"sshd\"]\nmode = \"exempt\"\n",
		"for another's service": "[[rule]]\nservices = [\"ssh\"]\ncallers = [\"user\"]\nmode = \"exempt\"\n",
	} {
		g := newGate(t, gateOptions{rules: rules})
		if r := g.ssh(gated, "id"); r.status != 1 || r.out != "" || r.errs != "no rule serves this when a user's own program asks: ask your administrator\n" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// A dead factord lets nobody in, with status 3.
func TestForceCommandUnreachable(t *testing.T) {
	t.Parallel()
	g := newGate(t, gateOptions{rules: exemptUser})
	if r := g.ssh(gated, "echo in"); r != (result{0, "in\n", ""}) {
		t.Fatalf("%+v", r)
	}
	g.Kill9()
	if r := g.ssh(gated, "id"); r.status != 3 || r.out != "" || !strings.HasPrefix(r.errs, "factor-helper: connecting to ") || !strings.Contains(r.errs, "\nhint: ") {
		t.Errorf("%+v", r)
	}
	x := g.onTerminal(gated)
	x.Expect("factor-helper: connecting to ")
	if status := x.Wait(); status != 3 {
		t.Errorf("exit %d\n%s", status, x.Screen())
	}
}

// Root asks by name, and under rules for root.
func TestForceCommandRoot(t *testing.T) {
	t.Parallel()
	g := newGate(t, gateOptions{rules: exemptUser, sshd: "PermitRootLogin yes\n"})
	as := g.client("ssh", "-l", "root", gated, "id -u")
	if r := g.do("", as...); r.status != 1 || r.out != "" || r.errs != "no rule lets this login in: ask your administrator\n" {
		t.Errorf("a rule for users: %+v", r)
	}
	g.Configure(strings.Replace(exemptUser, `["user"]`, `["root", "user"]`, 1))
	g.Hangup()
	g.expect(result{0, "0\n", ""}, as...)
}
