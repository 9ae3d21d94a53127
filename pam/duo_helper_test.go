package pam_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/pam/pamtest"
)

// sshRules are for ForceCommand, with nothing but Duo.
const sshRules = `
[[rule]]
name = "ssh sessions"
services = ["sshd"]
callers = ["user"]
factors = ["duo", "backup"]
`

// duoGate is sshd with ForceCommand, and a Duo of the test's own.
func duoGate(t *testing.T, c duosim.Config) (*gate, *duoLab) {
	t.Helper()
	factordtest.NeedRoot(t)
	sim := duosim.Start(t, c)
	g := newGate(t, gateOptions{rules: duoConfig(sim, sim.Host(), "") + sshRules})
	sim.AddUser(person(g.who.Name))
	l := &duoLab{lab: g.lab, sim: sim, secrets: []string{sim.SKey()}}
	l.discreetIn(filepath.Join(g.sshServer.dir, "log"))
	t.Cleanup(l.discreet)
	return g, l
}

// atHelper is somebody at a terminal with factor-helper: by themself, and as
// sshd's ForceCommand.
type atHelper struct {
	*duoLab
	begin func() *pamtest.Terminal
	in    string // on the screen, of who is let in
}

// forEachHelper runs a test with each.
func forEachHelper(t *testing.T, c duosim.Config, test func(t *testing.T, h atHelper)) {
	t.Parallel()
	t.Run("check", func(t *testing.T) {
		t.Parallel()
		l := newDuoLab(t, duoOptions{sim: c})
		test(t, atHelper{l, func() *pamtest.Terminal {
			x := pamtest.NewTerminal(t)
			x.Start(&l.who, "sh", "-c", l.helper()+" --socket "+l.Socket+" check --service lock && echo let in")
			return x
		}, "let in"})
	})
	t.Run("ssh", func(t *testing.T) {
		t.Parallel()
		g, l := duoGate(t, c)
		test(t, atHelper{l, func() *pamtest.Terminal { return g.onTerminal("-tt", gated, "echo let in") }, "let in"})
	})
}

// push gets as far as the push.
func (h atHelper) push() (*pamtest.Terminal, duosim.Push) {
	h.t.Helper()
	x := h.begin()
	x.Expect("Enter for a push: ")
	x.Type("\r")
	p := h.pushed()
	h.polled()
	return x, p
}

// ends fails the test unless the program lets in, or does not.
func (h atHelper) ends(x *pamtest.Terminal, in bool) {
	h.t.Helper()
	if status := x.Wait(); (status == 0) != in || strings.Contains(x.Screen(), h.in) != in {
		h.t.Errorf("exit %d\n%s", status, x.Screen())
	}
}

func TestDuoHelper(t *testing.T) {
	forEachHelper(t, duosim.Config{}, func(t *testing.T, h atHelper) {
		x, _ := h.push()
		x.Expect("Push sent to " + phoneName)
		x.Expect(", or type a code: ")
		h.answers(duosim.Approved)
		h.ends(x, true)
		h.lastRecord(map[string]string{"verdict": "allow", "basis": "factor", "factor": "duo"})

		x = h.begin()
		x.Expect("2  call " + phoneName)
		x.Expect("Enter for a push: ")
		x.Type("2\r")
		if p := h.pushed(); p.Factor != "phone" {
			t.Errorf("%+v", p)
		}
		h.polled()
		h.answers(duosim.Approved)
		h.ends(x, true)

		x = h.begin()
		x.Expect("Enter for a push: ")
		x.Type(duoPasscodes[0] + "\r")
		h.ends(x, true)

		x, _ = h.push()
		h.answers(duosim.Denied)
		h.ends(x, false)
		h.lastRecord(map[string]string{"verdict": "deny", "reason": "push-denied"})
	})
}

func TestDuoHelperVerified(t *testing.T) {
	forEachHelper(t, duosim.Config{VerifiedPush: true}, func(t *testing.T, h atHelper) {
		x, _ := h.push()
		code := shownCode(t, x)
		if strings.Contains(x.Screen(), h.in) {
			t.Errorf("in before the code was typed:\n%s", x.Screen())
		}
		if err := h.sim.ApproveCode(h.who.Name, code); err != nil {
			t.Errorf("%v\n%s", err, x.Screen())
		}
		h.ends(x, true)
	})
}

// A code that is typed while the push waits lets in as well, and what the phone says
// afterwards is nobody's.
func TestDuoHelperRace(t *testing.T) {
	forEachHelper(t, duosim.Config{}, func(t *testing.T, h atHelper) {
		x, p := h.push()
		x.Expect("or type a code: ")
		x.Type("1234321\r")
		x.Expect("wrong code")
		x.Expect("or type a code: ")
		x.Type(duoPasscodes[0] + "\r")
		h.ends(x, true)
		h.without(map[string]string{"the screen": x.Screen()})
		h.stopsPolling(time.Now())
		if err := h.sim.Answer(p.Txid, duosim.Approved); err != nil {
			t.Error(err)
		}
		allowed := 0
		for _, r := range h.audit() {
			if r["verdict"] == "allow" {
				allowed++
			}
		}
		if allowed != 1 {
			t.Errorf("%d verdicts let in", allowed)
		}
	})
}

func TestDuoHelperUnanswered(t *testing.T) {
	forEachHelper(t, duosim.Config{PushTimeout: 500 * time.Millisecond}, func(t *testing.T, h atHelper) {
		x := h.begin()
		x.Expect("Enter for a push: ")
		x.Type("\r")
		h.pushed()
		h.ends(x, false)
		h.lastRecord(map[string]string{"verdict": "deny", "reason": "timeout"})
	})
}

func TestDuoHelperInterrupted(t *testing.T) {
	forEachHelper(t, duosim.Config{}, func(t *testing.T, h atHelper) {
		best := time.Hour
		for range 2 {
			x, p := h.push()
			x.Expect("or type a code: ")
			begun := time.Now()
			x.Type("\x03")
			best = min(best, h.stopsPolling(begun))
			h.tooLate(p)
			h.ends(x, false)
		}
		if best > cancelTime {
			t.Errorf("Duo is polled until %v after Ctrl-C", best)
		}
	})
}

// What copies has no terminal: the push is sent by itself, and nothing is on stdout
// where the copying program would read it.
func TestDuoForceCommandCopies(t *testing.T) {
	t.Parallel()
	factordtest.NeedProgram(t, "rsync")
	g, l := duoGate(t, duosim.Config{Answer: duosim.Approved})
	from := filepath.Join(t.TempDir(), "from")
	makeFile(t, from, 1<<20)
	for name, argv := range map[string][]string{
		"scp":   g.client("scp", "-q", from, g.remote("scp")),
		"scp-O": g.client("scp", "-q", "-O", from, g.remote("scp-O")),
		"rsync": {"rsync", "-e", g.sshCommand(), from, g.remote("rsync")},
	} {
		r := g.do("", argv...)
		if r.status != 0 || r.out != "" {
			t.Errorf("%s: %+v\n%s", name, r, l.Log())
		}
		if sum(t, from) != sum(t, filepath.Join(g.home, name)) {
			t.Errorf("%s: the copy differs", name)
		}
	}
	r := g.ssh(gated, "echo let in; exit 7")
	if r.status != 7 || r.out != "let in\n" {
		t.Errorf("%+v", r)
	}
	if n := l.sim.Count("auth"); n != 4 {
		t.Errorf("%d pushes for 4 sessions", n)
	}
	p := l.pushed()
	if told := p.RawInfo; !strings.Contains(told, "Command") || p.IPAddr != "" && p.IPAddr != "127.0.0.1" {
		t.Errorf("the phone shows %+v", p)
	}
	l.lastRecord(map[string]string{"verdict": "allow", "basis": "factor", "factor": "duo"})

	if err := l.sim.Fault(duosim.Refused, "", duosim.Forever); err != nil {
		t.Fatal(err)
	}
	if r := g.do("", g.client("scp", "-q", "-O", from, g.remote("refused"))...); r.status == 0 || r.out != "" || !strings.Contains(r.errs, "Duo can't be reached") {
		t.Errorf("without Duo: %+v", r)
	}
}
