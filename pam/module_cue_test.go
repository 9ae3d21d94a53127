package pam_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/pam/pamtest"
)

const (
	cue      = "Push sent to Pixel 5"
	approval = "Approve on your phone, then press Enter: "
)

// push is a factord with a factor that waits: it shows a cue, and its verdict comes
// when the test says so. A client that shows text only with a prompt gets one.
type push struct {
	t       *testing.T
	socket  string
	auth    wire.Auth     // of the attempt; not before begun
	begun   chan struct{} // closed when the cue has been sent
	waiting chan struct{} // closed when nothing but the phone is waited for
	approve chan struct{} // to be closed by the test
	gone    chan struct{} // closed when the client goes away before the verdict
}

func newPush(t *testing.T) *push {
	t.Helper()
	p := &push{t: t, socket: filepath.Join(factordtest.OpenDir(t), "f.sock"), begun: make(chan struct{}), waiting: make(chan struct{}),
		approve: make(chan struct{}), gone: make(chan struct{})}
	listener, err := net.Listen("unix", p.socket)
	if err == nil {
		err = os.Chmod(p.socket, 0o666) // for the locker
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		if c, err := listener.Accept(); err == nil {
			p.serve(c)
		}
	}()
	return p
}

// serve serves the one attempt.
func (p *push) serve(c net.Conn) {
	defer c.Close()
	io.WriteString(c, wire.Greeting+"\n")
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if err != nil {
		return
	}
	auth, err := wire.ParseAuth(strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "AUTH "))
	if err != nil {
		p.t.Errorf("%q: %v", line, err)
		return
	}
	p.auth = auth
	io.WriteString(c, "S INFO "+cue+"\n")
	if auth.Conv == wire.ConvFlush {
		io.WriteString(c, "INQUIRE SECRET "+strings.TrimSuffix(approval, " ")+"%20\n")
	}
	close(p.begun)
	if auth.Conv == wire.ConvFlush {
		if line, err := r.ReadString('\n'); line != "END\n" {
			p.t.Errorf("the answer is %q, %v", line, err)
			return
		}
	}
	close(p.waiting)
	go func() {
		r.ReadByte()
		close(p.gone)
	}()
	select {
	case <-p.gone:
	case <-p.approve:
		io.WriteString(c, allow+"\nOK\n")
	}
}

// await fails the test unless an event comes.
func (p *push) await(what string, event <-chan struct{}) {
	p.t.Helper()
	select {
	case <-event:
	case <-time.After(20 * time.Second):
		p.t.Fatalf("%s: not within 20 s", what)
	}
}

// happened reports whether an event has come.
func happened(event <-chan struct{}) bool {
	select {
	case <-event:
		return true
	default:
		return false
	}
}

// The person sees what to do before anything waits for them to do it: the verdict
// comes only once the cue has been seen, and where the cue needs a prompt, nothing
// waits before that is answered.
func TestModuleCue(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		program string
		conv    wire.Conv
	}{
		{"sshd", wire.ConvFlush},
		{"sudo", wire.ConvFlush}, // it wants modules to be silent
		{"login", wire.ConvPrompt},
		{"su", wire.ConvPrompt},
		{"locker", wire.ConvPrompt},
	} {
		t.Run(fmt.Sprintf("%s, %v", tc.program, tc.conv), func(t *testing.T) {
			t.Parallel()
			p := newPush(t)
			s := sit(t, tc.program, p.socket, pamtest.NewAccount(t, "Correct-horse-7"), launch{})
			x := s.begin()
			p.await("the push", p.begun)
			sent := time.Now()
			x.Expect(cue)
			seen := time.Since(sent)
			if p.auth.Conv != tc.conv {
				t.Errorf("conv is %v", p.auth.Conv)
			}
			if tc.conv == wire.ConvFlush {
				x.Expect(approval)
				if happened(p.waiting) {
					t.Error("it waits before the person has said that they know")
				}
				x.Type("\r")
			}
			p.await("the wait", p.waiting)
			if strings.Contains(x.Screen(), s.says[letIn]) {
				t.Errorf("in before the verdict:\n%s", x.Screen())
			}
			waited := time.Now()
			close(p.approve)
			x.Expect(s.says[letIn])
			t.Logf("the cue is on the screen %v after it was sent, and %v before the wait is over", seen, waited.Sub(sent)-seen)
		})
	}
}

// Nobody has to wait for a phone that they left on the table: leaving ends the
// attempt there too. sshd does not look at its client then; see the snippet.
func TestModuleCueLeft(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"sudo", "login", "su", "locker"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			p := newPush(t)
			s := sit(t, program, p.socket, pamtest.NewAccount(t, "Correct-horse-7"), launch{})
			x := s.begin()
			x.Expect(cue)
			if program == "sudo" {
				x.Expect(approval)
				x.Type("\r")
			}
			p.await("the wait", p.waiting)
			x.Leave()
			p.await("the end of the attempt", p.gone)
			if status := x.Wait(); status == 0 || strings.Contains(x.Screen(), s.says[letIn]) {
				t.Errorf("exit %d\n%s", status, x.Screen())
			}
		})
	}
}
