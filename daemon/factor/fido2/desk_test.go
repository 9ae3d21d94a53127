package fido2_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/device"
	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/fido2"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/operation"
	"github.com/factord/factord/usb/usbtest"
	"github.com/factord/factord/usb/virtual/fido"
	"github.com/factord/factord/usb/virtual/fido/direct"
)

const (
	host = "desk"
	pin  = "123456"

	rules = "[[rule]]\nname=\"any\"\nfactors=[\"fido2\",\"totp\"]\ncallers=[\"root\",\"user\"]\n"
)

// ports are where keys are plugged in. They are a hid.Backend.
type ports struct {
	hid.Backend
	mu    sync.Mutex
	keys  map[string]*direct.Socket
	opens int // how often a key was opened
}

func (p *ports) Keys(ctx context.Context) (all []hid.Key, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for port := range p.keys {
		all = append(all, hid.Key{Port: port, Name: "key in " + port, FIDO: true})
	}
	return all, ctx.Err()
}

func (p *ports) Frames(_ context.Context, port string) (hid.Frames, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opens++
	if s := p.keys[port]; s != nil {
		return s.Open(), nil
	}
	return nil, hid.ErrGone
}

// count is how often a key was opened.
func (p *ports) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opens
}

// desk is a machine at which alice sits: factord with its broker, factord-usb, and keys.
type desk struct {
	*factordtest.Daemon
	t     testing.TB
	ports *ports
	log   *lines
	place policy.Known
	jobs  *jobs
}

// jobs counts what is asked of a device, and may change what it replies.
type jobs struct {
	key.Device
	mu    sync.Mutex
	asked []string // verbs; "FIND" is a silent look
	roots int      // how many were in root's name
	doing int
	wait  time.Duration // instead of an assertion's own; 0: its own
	after func(q *agent.AssertRequest, r *agent.AssertReply)
	none  bool // no key is asked for assertions: after makes them
}

func (j *jobs) Do(ctx context.Context, job key.Job) error {
	verb := job.Verb
	q, _ := job.Request.(*agent.AssertRequest)
	if q != nil && q.Find {
		verb = "FIND"
	}
	j.mu.Lock()
	j.asked = append(j.asked, verb)
	if job.User == "" {
		j.roots++
	}
	after := j.after
	if verb == agent.Assert && j.wait != 0 {
		job.Wait = j.wait
	}
	j.doing++
	j.mu.Unlock()
	defer func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.doing--
	}()
	if j.none && verb == agent.Assert {
		after(q, job.Reply.(*agent.AssertReply))
		return nil
	}
	err := j.Device.Do(ctx, job)
	if r, ok := job.Reply.(*agent.AssertReply); ok && err == nil && verb == agent.Assert && after != nil {
		after(q, r)
	}
	return err
}

// count is how many jobs of a verb there were.
func (j *jobs) count(verb string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, v := range j.asked {
		if v == verb {
			n++
		}
	}
	return n
}

// under is how many jobs are under way.
func (j *jobs) under() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.doing
}

// hasten has assertions wait no longer than for a while; 0: as long as they like.
func (j *jobs) hasten(wait time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.wait = wait
}

// change puts another answer of keys into force; nil: their own.
func (j *jobs) change(after func(q *agent.AssertRequest, r *agent.AssertReply)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.after = after
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	factordtest.NeedRoot(t)
	d := &desk{t: t, ports: &ports{keys: map[string]*direct.Socket{}}, log: &lines{}, place: policy.Yes}
	path := filepath.Join(t.TempDir(), "usb.sock")
	usbtest.Listen(t, path, usb.Config{Operations: operation.Machine{Hidraw: d.ports}})
	d.jobs = &jobs{Device: device.New(device.Config{Socket: path})}
	d.Daemon = factordtest.NewDaemon(t, factordtest.Options{
		Config:  rules,
		Factors: []factor.Factor{fido2.New(fido2.Config{Device: d.jobs, RPID: "factord", Host: host})},
		Places: factordtest.Places(func(uint32) (session.Place, error) {
			return session.Place{Session: "1", Owner: 1001, Local: d.place, Alone: true}, nil
		}),
		Log: d.log,
	})
	return d
}

func (d *desk) plug(port string, k *fido.Key) {
	d.ports.mu.Lock()
	defer d.ports.mu.Unlock()
	d.ports.keys[port] = direct.Plug(k)
}

func (d *desk) pull(port string) {
	d.ports.mu.Lock()
	defer d.ports.mu.Unlock()
	d.ports.keys[port].Unplug()
	delete(d.ports.keys, port)
}

// enroll enrols the key that is there for alice.
func (d *desk) enroll(options string, answers ...string) (shown fido2.Shown, err error) {
	d.t.Helper()
	data, err := factordtest.Call(d.Socket, -1, strings.TrimSpace("ENROLL factor=fido2 user=alice "+options), answers...)
	if err == nil {
		err = json.Unmarshal([]byte(strings.Join(data, "")), &shown)
	}
	return shown, err
}

func (d *desk) mustEnroll(options string, answers ...string) fido2.Shown {
	d.t.Helper()
	shown, err := d.enroll(options, answers...)
	if err != nil {
		d.t.Fatal(err)
	}
	return shown
}

// enrolled is a desk with a key of alice's in it.
func enrolled(t testing.TB, o fido.Options, options string, answers ...string) (*desk, *fido.Key) {
	t.Helper()
	d, k := newDesk(t), fido.New(o)
	d.plug("1-1", k)
	d.mustEnroll(options, answers...)
	return d, k
}

var sudo = wire.Auth{User: "alice", Service: "sudo", First: true}

// login is what came of one, and what the person was shown.
type login struct {
	verdict string
	shown   []string
}

func (l login) said(text string) bool { return strings.Contains(strings.Join(l.shown, "|"), text) }

func (d *desk) login(answers ...string) login {
	d.t.Helper()
	p := &factordtest.Talk{Answers: answers}
	v, err := factordtest.Login(d.Socket, -1, sudo, p)
	if err != nil {
		d.t.Fatal(err)
	}
	return outcome(v, p)
}

func outcome(v wire.Verdict, p *factordtest.Talk) login {
	l := login{verdict: "deny " + v.Reason.String(), shown: append(slices.Clone(p.Shown), v.Text)}
	if v.Allow {
		l.verdict = "allow " + v.Factor
	}
	return l
}

// person is a login beside which the test goes on.
type person struct {
	d    *desk
	mu   sync.Mutex
	talk factordtest.Talk
	done chan login
}

func (d *desk) begin(answers ...string) *person {
	p := &person{d: d, talk: factordtest.Talk{Answers: answers}, done: make(chan login, 1)}
	a := sudo
	a.Conv = wire.ConvPrompt
	go func() {
		v, err := factordtest.Converse(d.Socket, -1, a, p)
		if err != nil {
			d.t.Error(err)
		}
		p.done <- outcome(v, &p.talk)
	}()
	return p
}

// Info implements wire.Conversation.
func (p *person) Info(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.talk.Info(text)
}

// Ask implements wire.Conversation.
func (p *person) Ask(kind, text string) ([]byte, wire.Reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.talk.Ask(kind, text)
}

// await waits until a text is the last that was shown.
func (p *person) await(text string) {
	p.d.t.Helper()
	var shown []string
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		shown = slices.Clone(p.talk.Shown)
		p.mu.Unlock()
		if len(shown) > 0 && shown[len(shown)-1] == text {
			return
		}
		if time.Now().After(end) {
			p.d.t.Fatalf("shown %q; want %q", shown, text)
		}
	}
}

func (p *person) end() login { return <-p.done }

func (d *desk) expect(want, text string, answers ...string) login {
	d.t.Helper()
	l := d.login(answers...)
	d.check(l, want, text)
	return l
}

func (d *desk) check(l login, want, text string) {
	d.t.Helper()
	if l.verdict != want || !l.said(text) {
		d.t.Errorf("got %q, shown %q; want %q, %q", l.verdict, l.shown, want, text)
	}
}

// audit is the newest record of the chain.
func (d *desk) audit() string {
	d.t.Helper()
	all := strings.Split(d.MustCall("AUDIT"), "\n")
	return all[len(all)-1]
}

// line is a connection spoken by hand, of a client that watches it while it asks.
type line struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
}

func (d *desk) race(service string) *line {
	d.t.Helper()
	nc, err := factordtest.Dial(d.Socket, -1)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { nc.Close() })
	l := &line{d.t, nc, bufio.NewReader(nc)}
	l.expect(wire.Greeting)
	l.send("AUTH user=alice service=" + service + " conv=prompt race=1 first=1")
	return l
}

func (l *line) send(text string) { io.WriteString(l.nc, text+"\n") }

func (l *line) expect(want string) {
	l.t.Helper()
	if got, err := l.r.ReadString('\n'); strings.TrimSpace(got) != want {
		l.t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

func question(text string) string { return "INQUIRE SECRET " + text + "%20" }

// call is a management command of root's.
func (d *desk) call(command string, answers ...string) (string, error) {
	d.t.Helper()
	data, err := factordtest.Call(d.Socket, -1, strings.TrimSpace(command), answers...)
	return strings.Join(data, "\n"), err
}
