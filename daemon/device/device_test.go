package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/usbtest"
)

// limit is what no test waits longer for.
const limit = 30 * time.Second

// broker returns one whose keys do as on says.
func broker(t *testing.T, keys usbtest.Keys) *Broker {
	t.Helper()
	path := filepath.Join(t.TempDir(), "usb.sock")
	usbtest.Listen(t, path, usb.Config{Operations: keys})
	return New(Config{Socket: path})
}

func context30(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// steps collects what jobs were told.
type steps struct {
	mu   sync.Mutex
	said map[string][]key.Progress
	more chan struct{}
}

func newSteps() *steps {
	return &steps{said: map[string][]key.Progress{}, more: make(chan struct{}, 1)}
}

func (s *steps) of(name string) func(key.Progress) {
	return func(p key.Progress) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.said[name] = append(s.said[name], p)
		select {
		case s.more <- struct{}{}:
		default:
		}
	}
}

// await returns when a job has been told that last.
func (s *steps) await(t *testing.T, name string, want key.Progress) {
	t.Helper()
	deadline := time.After(limit)
	for {
		s.mu.Lock()
		all := slices.Clone(s.said[name])
		s.mu.Unlock()
		if n := len(all); n > 0 && all[n-1] == want {
			return
		}
		select {
		case <-s.more:
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%s was told %+v; want %+v", name, all, want)
		}
	}
}

func TestJob(t *testing.T) {
	b := broker(t, usbtest.Keys{OnSign: func(_ context.Context, q agent.SignRequest, talk usb.Talk) (agent.SignReply, error) {
		if q.Backend != "libusb" || q.WaitTime() <= 0 || q.WaitTime() > limit {
			t.Errorf("asked for %+v", q)
		}
		pin, err := talk.PIN()
		talk.State(agent.Touch)
		return agent.SignReply{Signature: append(pin, q.Message...)}, err
	}})
	b.Backend = func() string { return "libusb" }
	var reply agent.SignReply
	said := newSteps()
	err := b.Do(context30(t), key.Job{Verb: agent.Sign, Queue: "7", PIN: factor.Secret("12\r\n%456"), Reply: &reply, Say: said.of("it"),
		Request: &agent.SignRequest{Serial: 7, Slot: "9a", Public: []byte{1}, Message: []byte{0, '\n', 255}, NeedsPIN: true}})
	if want := "12\r\n%456\x00\n\xff"; err != nil || string(reply.Signature) != want {
		t.Errorf("signed %q, %v; want %q", reply.Signature, err, want)
	}
	if want := []key.Progress{{State: agent.Touch}}; !slices.Equal(said.said["it"], want) {
		t.Errorf("was told %+v", said.said)
	}
}

// What a key answers is the factor's to hear, with the tries that are left.
func TestAgentError(t *testing.T) {
	b := broker(t, usbtest.Keys{OnKeys: func(context.Context, agent.KeysRequest, usb.Talk) (agent.KeysReply, error) {
		return agent.KeysReply{}, &agent.Error{Code: agent.WrongPIN, Tries: 2, Text: "wrong PIN"}
	}})
	err := b.Do(context30(t), key.Job{Verb: agent.Keys, Request: &agent.KeysRequest{}, Reply: &agent.KeysReply{}})
	var e *agent.Error
	if !errors.As(err, &e) || *e != (agent.Error{Code: agent.WrongPIN, Tries: 2, Text: "wrong PIN"}) {
		t.Errorf("failed with %#v", err)
	}
}

// Two for one key: both are told for what, the oldest comes first, and one who gives
// up is gone at once.
func TestQueue(t *testing.T) {
	touch := make(chan struct{})
	b := broker(t, usbtest.Keys{OnHMAC: func(ctx context.Context, q agent.HMACRequest, talk usb.Talk) (agent.HMACReply, error) {
		talk.State(agent.Touch)
		select {
		case <-touch:
			return agent.HMACReply{Answer: q.Challenge}, nil
		case <-ctx.Done():
			return agent.HMACReply{}, ctx.Err()
		}
	}})
	said := newSteps()
	type job struct {
		cancel context.CancelFunc
		done   chan error
		reply  agent.HMACReply
	}
	begin := func(name, queue string, n byte) *job {
		ctx, cancel := context.WithCancel(context30(t))
		j := &job{cancel: cancel, done: make(chan error, 1)}
		go func() {
			j.done <- b.Do(ctx, key.Job{Verb: agent.HMAC, Queue: queue, For: name, Say: said.of(name),
				Request: &agent.HMACRequest{Serial: 1, Slot: 2, Challenge: []byte{n}}, Reply: &j.reply})
		}()
		return j
	}
	locker := begin("the locker", "1", 1)
	said.await(t, "the locker", key.Progress{State: agent.Touch})
	sudo := begin("sudo", "1", 2)
	said.await(t, "sudo", key.Progress{Ahead: "the locker"})
	said.await(t, "the locker", key.Progress{State: agent.Touch, Behind: "sudo"})
	su := begin("su", "1", 3)
	said.await(t, "su", key.Progress{Ahead: "the locker"})
	said.await(t, "sudo", key.Progress{Ahead: "the locker", Behind: "su"})
	other := begin("another key", "2", 4)
	said.await(t, "another key", key.Progress{State: agent.Touch})
	other.cancel()
	if err := <-other.done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}

	sudo.cancel()
	if err := <-sudo.done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in the queue: %v", err)
	}
	said.await(t, "the locker", key.Progress{State: agent.Touch, Behind: "su"})
	touch <- struct{}{}
	if err := <-locker.done; err != nil || locker.reply.Answer[0] != 1 {
		t.Errorf("the touch was for somebody else: %v, %v", locker.reply, err)
	}
	said.await(t, "su", key.Progress{State: agent.Touch})
	su.cancel() // in the operation
	if err := <-su.done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in the operation: %v", err)
	}
	if len(b.queues) > 0 || b.slots.all > 0 {
		t.Errorf("left behind: %v, %d slots", b.queues, b.slots.all)
	}
}

// Ten logins queue for one key, and each gets its own answer, in order; never are two
// at the key.
func TestTen(t *testing.T) {
	var atKey, served atomic.Int32
	b := broker(t, usbtest.Keys{OnHMAC: func(_ context.Context, q agent.HMACRequest, _ usb.Talk) (agent.HMACReply, error) {
		if n := atKey.Add(1); n != 1 {
			t.Errorf("%d operations at one key", n)
		}
		defer atKey.Add(-1)
		if n := served.Add(1); q.Challenge[0] != byte(n) {
			t.Errorf("job %d came as number %d", q.Challenge[0], n)
		}
		return agent.HMACReply{Answer: q.Challenge}, nil
	}})
	gate := b.enter(key.Job{Queue: "1", For: "the gate"})
	said := newSteps()
	errs := make(chan error)
	for n := byte(1); n <= 10; n++ {
		name := fmt.Sprint(n)
		go func() {
			var r agent.HMACReply
			err := b.Do(context30(t), key.Job{Verb: agent.HMAC, Queue: "1", For: name, Say: said.of(name),
				Request: &agent.HMACRequest{Serial: 1, Slot: 1, Challenge: []byte{n}}, Reply: &r})
			if err == nil && r.Answer[0] != n {
				err = fmt.Errorf("job %d has the answer of %d", n, r.Answer[0])
			}
			errs <- err
		}()
		said.await(t, name, key.Progress{Ahead: "the gate"})
	}
	b.leave(gate)
	for range 10 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// Jobs of different keys don't wait for each other, up to the number of processes.
func TestSlots(t *testing.T) {
	var under, most atomic.Int32
	full, open := make(chan struct{}), make(chan struct{})
	filled := sync.OnceFunc(func() { close(full) }) // those that come later may be as many at once
	b := broker(t, usbtest.Keys{OnKeys: func(context.Context, agent.KeysRequest, usb.Talk) (agent.KeysReply, error) {
		n := under.Add(1)
		defer under.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if n == maxOperations {
			filled()
		}
		<-open
		return agent.KeysReply{}, nil
	}})
	errs := make(chan error)
	for n := range 2 * maxOperations {
		go func() {
			errs <- b.Do(context30(t), key.Job{Verb: agent.Keys, User: fmt.Sprint(n), Request: &agent.KeysRequest{}, Reply: &agent.KeysReply{}, Wait: -1})
		}()
	}
	<-full
	close(open)
	for range 2 * maxOperations {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if most.Load() > maxOperations {
		t.Errorf("%d operations at once", most.Load())
	}
}

// A factord-usb that is not what it should be: refused in words, or cut off.
func TestHostile(t *testing.T) {
	hear := func(nc net.Conn) { io.CopyN(io.Discard, nc, 1) }
	script := func(text string) func(net.Conn) {
		return func(nc net.Conn) {
			io.WriteString(nc, text)
			io.Copy(io.Discard, nc)
		}
	}
	const greeting, asked = agent.Greeting + "\n", agent.Greeting + "\nINQUIRE REQUEST\n"
	for name, tc := range map[string]struct {
		do   func(net.Conn)
		want string
	}{
		"dead at once":    {func(net.Conn) {}, "it ended in the middle"},
		"dead later":      {func(nc net.Conn) { io.WriteString(nc, asked); hear(nc) }, "it ended in the middle"},
		"another program": {script("OK factord 1\n"), "out of place"},
		"another version": {script("OK factord-usb 10\n"), "out of place"},
		"garbage":         {script("\x00\xff\x00\n"), "out of place"},
		"long line":       {script(strings.Repeat("x", 2000)), "longer than 1000"},
		"refusal":         {script("ERR 3 0 uid 7 may not\n"), "uid 7 may not"},
		"strange error":   {script(greeting + "ERR 99 x y\n"), "ERR 99"},
		"no reply":        {script(asked + "OK\n"), "not one reply"},
		"two replies":     {script(asked + "D {}%0A{}%0A\nOK\n"), "not one reply"},
		"half a reply":    {script(asked + "D {\nOK\n"), "out of place"},
		"no JSON":         {script(asked + "D x%0A\nOK\n"), "reading its reply"},
		"unknown key":     {script(asked + "D {\"verdict\":true}%0A\nOK\n"), "unknown field"},
		"more than JSON":  {script(asked + "D {} {}%0A\nOK\n"), "something follows it"},
		"asks for more":   {script(asked + "INQUIRE REQUEST\nERR 2 0 cancelled\n"), "cancelled"},
		"asks for a PIN":  {script(asked + "INQUIRE SECRET\nERR 14 0 cancelled\n"), "cancelled"},
		"endless data": {func(nc net.Conn) {
			io.WriteString(nc, asked)
			for line := []byte("D " + strings.Repeat("x", 900) + "\n"); ; {
				if _, err := nc.Write(line); err != nil {
					return
				}
			}
		}, "too long"},
		"endless infos": {func(nc net.Conn) {
			io.WriteString(nc, greeting)
			for {
				if _, err := io.WriteString(nc, "S INFO touch\nS INFO ready\nS INFO what\n"); err != nil {
					return
				}
			}
		}, "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			err := against(t, tc.do).Do(context30(t), job())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("came to %v; want %q", err, tc.want)
			}
			var known *agent.Error
			var outage *factor.Outage
			if !errors.As(err, &known) && (!errors.As(err, &outage) || !strings.Contains(err.Error(), "\nhint: ")) {
				t.Errorf("is no outage with a hint: %v", err)
			}
		})
	}
}

// A silent one does not hold up who gives up.
func TestSilent(t *testing.T) {
	for _, text := range []string{"", agent.Greeting + "\n", agent.Greeting + "\nINQUIRE REQUEST\n"} {
		silent := make(chan struct{})
		b := against(t, func(nc net.Conn) {
			io.WriteString(nc, text)
			close(silent)
			io.Copy(io.Discard, nc)
			io.ReadAll(nc)
		})
		ctx, cancel := context.WithCancel(context30(t))
		done := make(chan error)
		go func() { done <- b.Do(ctx, job()) }()
		<-silent
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
}

// A state that comes when the job has just been cancelled holds up nobody.
func TestStateAfterCancel(t *testing.T) {
	ready := make(chan struct{})
	b := against(t, func(nc net.Conn) {
		io.WriteString(nc, agent.Greeting+"\nINQUIRE REQUEST\nS INFO ready\n")
		close(ready)
		io.Copy(io.Discard, nc) // until it is hung up
		io.WriteString(nc, "S INFO touch\nS INFO busy\nS INFO ready\n")
	})
	ctx, cancel := context.WithCancel(context30(t))
	done := make(chan error, 1)
	go func() { done <- b.Do(ctx, job()) }()
	<-ready
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	case <-time.After(limit):
		t.Error("the job has not ended")
	}
}

func job() key.Job {
	return key.Job{Verb: agent.Keys, Queue: "1", Request: &agent.KeysRequest{}, Reply: &agent.KeysReply{}}
}

// against returns a broker whose factord-usb is do.
func against(t *testing.T, do func(net.Conn)) *Broker {
	path := filepath.Join(t.TempDir(), "usb.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(limit))
		do(nc)
	}()
	return New(Config{Socket: path})
}

func TestNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usb.sock")
	for name, tc := range map[string]struct {
		c    Config
		want string
	}{
		"nothing":    {Config{}, "there is no factord-usb"},
		"no socket":  {Config{Socket: path}, "--usb-socket"},
		"no program": {Config{Socket: path, Program: path, Private: t.TempDir()}, "there is no factord-usb here\nhint: install the package factord-usb, which comes with factord's; "},
	} {
		err := New(tc.c).Do(context30(t), job())
		if !errors.Is(err, factor.ErrUnavailable) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whoever serves the socket could claim any evidence: it has to be root, factord-usb's
// user or our own.
func TestForeignServer(t *testing.T) {
	factordtest.NeedRoot(t)
	const foreign = 65533
	dir := factordtest.OpenDir(t)
	if err := os.Chown(dir, foreign, -1); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "usb.sock")
	listening := make(chan net.Listener)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its uid
		syscall.RawSyscall(syscall.SYS_SETRESUID, foreign, foreign, foreign)
		l, _ := net.Listen("unix", path)
		listening <- l
	}()
	l := <-listening
	if l == nil {
		t.Fatal("nobody listens")
	}
	defer l.Close()
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go usb.Config{Operations: usbtest.Keys{OnKeys: func(context.Context, agent.KeysRequest, usb.Talk) (agent.KeysReply, error) {
				return agent.KeysReply{}, nil
			}}}.Serve(context.Background(), nc.(*net.UnixConn))
		}
	}()
	if err := New(Config{Socket: path}).Do(context30(t), job()); err == nil || !strings.Contains(err.Error(), "served by uid 65533") {
		t.Errorf("believed uid %d: %v", foreign, err)
	}
	if err := New(Config{Socket: path, Servers: []uint32{foreign}}).Do(context30(t), job()); err != nil {
		t.Errorf("did not believe factord-usb's user: %v", err)
	}
}

func FuzzReply(f *testing.F) {
	f.Add([]byte(agent.Greeting + "\nINQUIRE REQUEST\nS INFO touch\nD {\"keys\":[]}%0A\nOK\n"))
	f.Add([]byte(agent.Greeting + "\nERR 10 2 wrong PIN\n"))
	f.Add([]byte("ERR 3 0 no\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		ours, theirs := usbtest.Pair(t)
		go func() {
			theirs.Write(text)
			theirs.CloseWrite()
			io.Copy(io.Discard, theirs)
		}()
		over := make(chan struct{})
		close(over)
		e := exchange{job: job(), states: make(chan agent.State), over: over}
		err := e.run(ours, time.Now().Add(limit))
		if err == nil && !strings.HasPrefix(string(text), agent.Greeting) {
			t.Error("believed without a greeting")
		}
	})
}

// A job that may use one of several keys waits for all of them, and holds up the others.
func TestSeveralKeys(t *testing.T) {
	touch := make(chan struct{})
	b := broker(t, usbtest.Keys{OnCapture: func(ctx context.Context, q agent.CaptureRequest, talk usb.Talk) (agent.CaptureReply, error) {
		talk.State(agent.Touch)
		select {
		case <-touch:
			return agent.CaptureReply{Serial: q.Serials[0]}, nil
		case <-ctx.Done():
			return agent.CaptureReply{}, ctx.Err()
		}
	}})
	said := newSteps()
	done := make(chan error)
	begin := func(name string, queues ...string) {
		go func() {
			done <- b.Do(context30(t), key.Job{Verb: agent.Capture, Queue: queues[0], Also: queues[1:], For: name, Say: said.of(name),
				Request: &agent.CaptureRequest{Serials: []uint32{1}}, Reply: &agent.CaptureReply{}})
		}()
	}
	begin("one", "1")
	said.await(t, "one", key.Progress{State: agent.Touch})
	begin("both", "2", "1", "2")
	said.await(t, "both", key.Progress{Ahead: "one"})
	begin("two", "2")
	said.await(t, "two", key.Progress{Ahead: "both"})
	begin("three", "3")
	said.await(t, "three", key.Progress{State: agent.Touch})
	for range 4 {
		touch <- struct{}{}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if len(b.queues) > 0 {
		t.Errorf("left behind: %v", b.queues)
	}
}
