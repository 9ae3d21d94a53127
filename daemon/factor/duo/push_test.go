package duo_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
)

// TestVerifiedPush: the code is seen in every application before the push has to be
// answered, also where the prompt stood for so long that the first code is too old.
func TestVerifiedPush(t *testing.T) {
	for _, conv := range []wire.Conv{wire.ConvPrompt, wire.ConvFlush, wire.ConvInfo} {
		t.Run(conv.String(), func(t *testing.T) {
			s := newSetup(t, options{sim: duosim.Config{VerifiedPush: true}})
			a := first
			a.Conv = conv
			p := &person{Talk: factordtest.Talk{Answers: []string{"", ""}}}
			p.hears = func(text string) {
				code, _, found := strings.Cut(strings.TrimPrefix(text, "Enter "), " in Duo Mobile on Pixel 5 (XXX-XXX-0123)")
				if !found {
					return
				}
				if _, err := s.sim.NextPush(soon(t), "alice"); err != nil {
					t.Error(err)
				}
				if err := s.sim.ApproveCode("alice", code); err != nil {
					t.Error(err)
				}
			}
			if v, err := factordtest.Converse(s.Socket, -1, a, p); err != nil || !v.Allow {
				t.Errorf("%+v, %v, %q", v, err, p.Shown)
			}
		})
	}
}

// TestSecondVerifiedPush: each push has a code of its own.
func TestSecondVerifiedPush(t *testing.T) {
	s := newSetup(t, options{sim: duosim.Config{VerifiedPush: true, PushTimeout: 100 * time.Millisecond}})
	s.does(first, "", nil, "", "")
	if n := s.sim.Count("preauth"); n != 2 {
		t.Errorf("%d preauths", n)
	}
	if n := s.sim.Count("auth"); n != 2 {
		t.Errorf("%d pushes", n)
	}
}

// TestWhatThePushSays: the client's own words are marked, cut, and steer nothing.
func TestWhatThePushSays(t *testing.T) {
	s := newSetup(t, options{})
	a := first
	a.Command = "\x1b[2Jrm -rf /\r\nHost=evil&Service=x\u202e" + strings.Repeat("x", 200)
	s.does(a, "Push sent", s.must(s.sim.Approve), "")
	p, err := s.sim.NextPush(soon(t), "alice")
	if err != nil {
		t.Fatal(err)
	}
	told := p.Info.Get("Command (as told)")
	if !strings.HasPrefix(told, "?[2Jrm -rf /??Host=evil&Service=x") || len(told) != 100 {
		t.Errorf("command %q", told)
	}
	if p.Info.Get("Host") != "web1" || p.Info.Get("Service") != "sshd" || len(p.Info) != 3 {
		t.Errorf("info %v", p.Info)
	}
	if p.IPAddr != "203.0.113.7" || p.Hostname != "web1" || p.DisplayUsername != "alice" {
		t.Errorf("push %+v", p)
	}
}

// TestRace: a typed code and an approval race, and either wins.
func TestRace(t *testing.T) {
	for name, typed := range map[string]string{"approved": "", "typed": "D 123456\nEND"} {
		t.Run(name, func(t *testing.T) {
			s := newSetup(t, options{})
			r := s.dial("AUTH user=alice service=sshd rhost=203.0.113.7 conv=prompt race=1")
			r.expect("INQUIRE SECRET Passcode: ")
			r.send("END")
			r.expect("INQUIRE SECRET Push sent to your phone: approve it, or type a code: ")
			if typed != "" {
				r.send(typed)
			} else {
				s.must(s.sim.Approve)()
			}
			r.expect("S VERDICT allow basis=factor factor=duo rule=any")
			s.Wait(func() bool { return s.sim.Waiting() == 0 })
		})
	}
}

// TestGone: when the client hangs up, nobody asks Duo any more within 200 ms, and an
// approval that comes then is nobody's.
func TestGone(t *testing.T) {
	for _, conv := range []string{"prompt", "prompt race=1", "flush", "info"} {
		t.Run(conv, func(t *testing.T) {
			s := newSetup(t, options{})
			r := s.dial("AUTH user=alice service=sshd rhost=203.0.113.7 conv=" + conv)
			if conv != "info" {
				r.expect("INQUIRE SECRET Passcode: ")
				r.send("END")
			}
			s.Wait(func() bool { return s.sim.Waiting() == 1 })
			begun := time.Now()
			r.nc.Close()
			s.Wait(func() bool { return s.sim.Waiting() == 0 })
			if took := time.Since(begun); took > 200*time.Millisecond {
				t.Errorf("asked for %v more", took)
			}
			s.must(s.sim.Approve)()
			if v, shown := s.does(first, "", nil); v.Allow || !strings.Contains(shown, "Passcode") {
				t.Errorf("the next login: %+v, %q", v, shown)
			}
			s.Stop()
			if strings.Contains(s.log.String(), "verdict=allow") {
				t.Error(s.log)
			}
		})
	}
}

// TestGoneBeforeThePrompt: Duo does not answer, and the client has no patience.
func TestGoneBeforeThePrompt(t *testing.T) {
	s := newSetup(t, options{})
	s.sim.Fault(duosim.Slow+"=10s", "preauth", duosim.Forever)
	r := s.dial("AUTH user=alice service=sshd first=1 conv=prompt")
	s.Wait(func() bool { return s.sim.Count("preauth") == 1 })
	begun := time.Now()
	r.nc.Close()
	s.Wait(func() bool { return s.Connections() == 0 })
	if took := time.Since(begun); took > 200*time.Millisecond {
		t.Errorf("ended after %v", took)
	}
}

// TestCrowd: pushes of many people pend at once, and all are answered.
func TestCrowd(t *testing.T) {
	const size = crowdSize
	var users []duosim.User
	for i := range size {
		users = append(users, duosim.User{Name: fmt.Sprintf("user%d", i), Devices: []duosim.Device{duosim.Phone("Pixel 5", "+15555550123")}})
	}
	s := newSetup(t, options{sim: duosim.Config{Users: users, HTTP2: true}, rule: "", deadline: 50 * time.Second, preauth: 20 * time.Second, attempt: 55 * time.Second})
	for i := range size {
		s.Users.Set(fmt.Sprintf("user%d", i), uint32(20000+i))
	}
	runtime.GC()
	var before, during runtime.MemStats
	runtime.ReadMemStats(&before)
	var allowed sync.Map
	var all sync.WaitGroup
	for i := range size {
		all.Add(1)
		go func() {
			defer all.Done()
			a := wire.Auth{User: fmt.Sprintf("user%d", i), Service: "sshd", First: true, Conv: wire.ConvInfo}
			v, err := factordtest.Converse(s.Socket, -1, a, &factordtest.Talk{})
			if err != nil || !v.Allow {
				t.Errorf("user%d: %+v, %v", i, v, err)
				return
			}
			allowed.Store(i, true)
		}()
	}
	s.Wait(func() bool { return s.sim.Waiting() == size || t.Failed() })
	runtime.GC()
	runtime.ReadMemStats(&during)
	t.Logf("%d pushes pend, with the simulator and the clients in the same process: heap %d MB, stacks %d MB",
		size, (during.HeapAlloc-before.HeapAlloc)>>20, (during.StackInuse-before.StackInuse)>>20)
	for i := range size {
		s.sim.Approve(fmt.Sprintf("user%d", i))
	}
	all.Wait()
}
