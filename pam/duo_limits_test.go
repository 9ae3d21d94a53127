package pam_test

import (
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/pam/pamtest"
)

// sudo repeats a refused stack three times: one no is enough.
func TestDuoSudoRetries(t *testing.T) {
	t.Parallel()
	l := newDuoLab(t, duoOptions{})
	s := l.duoSeat("sudo")
	x, _ := l.asksForPush(s, "sudo")
	x.Type("\r")
	l.polled()
	l.answers(duosim.Denied)
	for range 2 { // the second and the third try
		x.Expect("try again")
		for range 3 { // it is said beforehand, and to who asks all the same
			x.Expect("so none is sent: type a passcode")
			x.ExpectSecret("Passcode: ")
			x.Type("\r")
		}
	}
	x.Wait()
	if n := l.sim.Count("auth"); n != 1 {
		t.Errorf("%d pushes\n%s", n, x.Screen())
	}
	if strings.Contains(x.Screen(), s.says[letIn]) {
		t.Errorf("somebody is in:\n%s", x.Screen())
	}
	l.lastRecord(map[string]string{"verdict": "deny", "reason": "push-denied"})
}

// A no to the push of a sudo that was interrupted is heard by the next one.
func TestDuoInterruptedThenDenied(t *testing.T) {
	t.Parallel()
	l := newDuoLab(t, duoOptions{})
	s := l.duoSeat("sudo")
	x, p := l.asksForPush(s, "sudo")
	x.Type("\r")
	l.polled()
	begun := time.Now()
	x.Type("\x03")
	l.stopsPolling(begun)
	x.Wait()
	if err := l.sim.Answer(p.Txid, duosim.Denied); err != nil {
		t.Fatal(err)
	}
	pamtest.Await(t, "the end of the attempt", 5*time.Second, func() bool { return l.Connections() == 0 })
	y := s.begin()
	y.ExpectSecret("Enter for a push: ")
	y.Type("\r")
	y.Expect("so none is sent: type a passcode")
	y.Kill()
	y.Wait()
	if n := l.sim.Count("auth"); n != 1 {
		t.Errorf("%d pushes\n%s", n, y.Screen())
	}
}

// Nobody is asked until they say yes to have peace: after three pushes without an
// answer none is sent, by no program, and a passcode still lets in.
func TestDuoFatigue(t *testing.T) {
	t.Parallel()
	l := newDuoLab(t, duoOptions{sim: duosim.Config{PushTimeout: 200 * time.Millisecond}})
	s := l.duoSeat("sudo")
	x := s.begin()
	for range 3 {
		x.ExpectSecret("Enter for a push: ")
		x.Type("\r")
		x.ExpectSecret("press Enter: ")
		x.Type("\r")
	}
	pamtest.Await(t, "three pushes that end", 10*time.Second, func() bool {
		return l.sim.Count("auth") == 3 && len(l.sim.Pending(l.who.Name)) == 0 && l.sim.Waiting() == 0
	})
	x.Kill()
	x.Wait()
	for _, program := range []string{"sudo", "locker", "su"} {
		s := l.duoSeat(program)
		x := s.begin()
		x.Expect("too many pushes were not answered: type a passcode")
		x.ExpectSecret("Passcode: ")
		x.Type("\r")
		x.Expect("too many pushes were not answered: type a passcode")
		x.ExpectSecret("Passcode: ")
		if program == "su" {
			x.Type(duoPasscodes[0] + "\r")
			x.Expect(s.says[letIn])
		}
		x.Kill()
		x.Wait()
	}
	if n := l.sim.Count("auth"); n != 4 { // three pushes and a passcode
		t.Errorf("Duo was asked %d times", n)
	}
}

// One push at a time: the second login of somebody whose phone rings already is told
// so, and the answer to the first is not the second's.
func TestDuoOneAtATime(t *testing.T) {
	t.Parallel()
	l := newDuoLab(t, duoOptions{})
	s := l.duoSeat("locker")
	first, _ := l.asksForPush(s, "locker")
	l.polled()
	second := s.begin()
	second.ExpectSecret("Enter for a push: ")
	second.Type("\r")
	second.Expect("is not answered yet")
	l.answers(duosim.Approved)
	first.Expect(s.says[letIn])
	second.ExpectSecret("Enter for a push: ")
	if strings.Contains(second.Screen(), s.says[letIn]) {
		t.Errorf("the second is in:\n%s", second.Screen())
	}
	if n := l.sim.Count("auth"); n != 1 {
		t.Errorf("%d pushes", n)
	}
}

// A client that closes its socket has nobody polled for, in whatever it waits.
func TestDuoSocketClosed(t *testing.T) {
	t.Parallel()
	l := newDuoLab(t, duoOptions{})
	for _, conv := range []string{"none", "info", "prompt", "flush"} {
		best := time.Hour
		for range 3 {
			c := dial(t, l.Socket, -1)
			c.send(fmt.Sprintf("AUTH user=%s service=sudo conv=%s\n", l.who.Name, conv))
			if conv == "prompt" || conv == "flush" {
				if got := c.line(); !strings.HasPrefix(got, "INQUIRE") {
					t.Fatalf("%q", got)
				}
				c.send("END\n")
			}
			p := l.pushed()
			l.polled()
			begun := time.Now()
			c.conn.Close()
			best = min(best, l.stopsPolling(begun))
			l.tooLate(p)
			pamtest.Await(t, "the end of the attempt", 5*time.Second, func() bool { return l.Connections() == 0 })
			l.MustCall(wire.Command(wire.VerbUnlock, "user", l.who.Name)) // else these are pushes that nobody answered
		}
		if best > cancelTime {
			t.Errorf("conv=%s: Duo is polled until %v after the socket was closed", conv, best)
		}
	}
}

// With a key alone and no session to ask in, the gate sends the push by itself:
// ssh -N, ssh -W and scripts get in when it is approved, and not when it is not.
func TestDuoGate(t *testing.T) {
	t.Parallel()
	for _, answer := range []duosim.Answer{duosim.Approved, duosim.Denied} {
		l := newDuoLab(t, duoOptions{sim: duosim.Config{Answer: answer}})
		server := moduleSSH(t, l.lab, l.snippet("sshd"), "publickey")
		l.discreetIn(filepath.Join(server.dir, "log"))
		in := answer == duosim.Approved
		status, out := l.batch(server, "port0", "echo let in")
		if (status == 0) != in || strings.Contains(out, "let in") != in {
			t.Errorf("%s: BatchMode: exit %d\n%s", answer, status, out)
		}
		l.MustCall(wire.Command(wire.VerbUnlock, "user", l.who.Name)) // a no holds for 60 s
		if _, out := l.batch(server, "-W", inside(t), "port0"); strings.Contains(out, "inside") != in {
			t.Errorf("%s: ssh -W:\n%s", answer, out)
		}
		l.MustCall(wire.Command(wire.VerbUnlock, "user", l.who.Name))
		x := pamtest.NewTerminal(t)
		x.Start(nil, server.client("ssh", "-v", "-o", "BatchMode=yes", "-l", l.who.Name, "-N", "port0")...)
		if in {
			x.Expect("Entering interactive session")
			x.Kill()
		} else {
			x.Expect("onnection closed by")
		}
		x.Wait()
		if n := l.sim.Count("auth"); n != 3 {
			t.Errorf("%s: %d pushes for 3 logins", answer, n)
		}
		if p := l.pushed(); p.IPAddr != "127.0.0.1" {
			t.Errorf("the phone shows %+v", p)
		}
	}
}

// batch is ssh without anybody there.
func (l *duoLab) batch(s sshServer, args ...string) (int, string) {
	l.t.Helper()
	cmd := s.client("", append([]string{"-o", "BatchMode=yes", "-l", l.who.Name}, args...)...)
	return run(l.t, "", exec.Command("ssh", cmd[1:]...))
}

// What Duo says in escape sequences reaches no terminal and no log as such.
func TestDuoEscapes(t *testing.T) {
	forEachDuo(t, duoOptions{}, func(t *testing.T, l *duoLab, s *seat, program string) {
		if err := l.sim.Fault(duosim.Escapes, "", duosim.Forever); err != nil {
			t.Fatal(err)
		}
		x, _ := l.asksForPushFrom(s, program, "Push sent to ")
		if flushes(program) {
			x.Type("\r")
		}
		l.polled()
		l.answers(duosim.Denied)
		pamtest.Await(t, "the refusal", 10*time.Second, func() bool { return strings.Contains(l.Log(), "push-denied") })
		x.Kill()
		x.Wait()
		if seen := x.Screen() + l.Log(); strings.Contains(seen, "\x1b]") || strings.Contains(seen, "\x07") || strings.Contains(seen, "\x9b") {
			t.Errorf("%q", seen)
		}
	})
}

// The search for secrets finds what it looks for, in each place where it looks.
func TestDuoSecretsWouldBeFound(t *testing.T) {
	t.Parallel()
	l := newDuoLab(t, duoOptions{})
	v, err := factordtest.Converse(l.Socket, -1, wire.Auth{User: l.who.Name, Service: "sudo", First: true, Conv: wire.ConvPrompt},
		&factordtest.Talk{Answers: []string{"1234321", duoPasscodes[0]}})
	if err != nil || !v.Allow || v.Factor != "duo" {
		t.Fatalf("%+v, %v", v, err)
	}
	pamtest.Await(t, "the log of it", 5*time.Second, func() bool { return strings.Contains(l.Log(), "verdict=allow") })
	written := map[string]string{"log": l.Log()}
	if all := found(written, []string{l.sim.SKey(), "1234321", duoPasscodes[0]}); len(all) > 0 {
		t.Errorf("%v", all)
	}
	if all := found(written, []string{"verdict=allow"}); all["log"] == "" {
		t.Error("the search finds nothing")
	}
	var out strings.Builder
	io.WriteString(&out, "skey = "+l.sim.SKey())
	if all := found(map[string]string{"a": out.String()}, l.secrets); all["a"] != l.sim.SKey() {
		t.Error("the search does not find skey")
	}
}
