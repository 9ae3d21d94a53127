package piv_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/daemon/device"
	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/piv"
	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/usb/virtual/card"
	"github.com/factord/factord/usb/virtual/reader"
)

const (
	pin, wrong = "123456", "654321"

	rules = "[[rule]]\nname=\"any\"\nfactors=[\"piv\",\"totp\"]\ncallers=[\"root\",\"user\"]\n"
)

// watched is a device that can be led astray, and tells what it is asked for.
type watched struct {
	key.Device
	mu    sync.Mutex
	jobs  []string // verbs
	ended int
	// instead does a job, if it is not nil and says so.
	instead func(key.Job) (done bool, err error)
	after   func(key.Job)
}

// Do implements key.Device.
func (w *watched) Do(ctx context.Context, j key.Job) error {
	w.mu.Lock()
	w.jobs = append(w.jobs, j.Verb)
	instead, after := w.instead, w.after
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended++
	}()
	if instead != nil {
		if done, err := instead(j); done {
			return err
		}
	}
	err := w.Device.Do(ctx, j)
	if err == nil && after != nil {
		after(j)
	}
	return err
}

// idle reports whether all jobs have ended.
func (w *watched) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.jobs) == w.ended
}

// asked returns how many jobs there were.
func (w *watched) asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.jobs)
}

// desk is a machine with smart card readers at which alice sits: the real factord-usb
// asks the real pcscd for virtual cards.
type desk struct {
	*factordtest.Daemon
	t         testing.TB
	readers   *reader.Readers
	authority *card.Authority // whose attestations are believed
	device    *watched
	away      bool // she sits elsewhere
	other     bool // it is bob who sits here
}

func newDesk(t testing.TB) *desk { return deskWith(t, piv.Config{}) }

func deskWith(t testing.TB, c piv.Config) *desk {
	t.Helper()
	d := &desk{t: t, readers: reader.New(t, reader.Config{}), authority: card.NewAuthority("Test Root")}
	d.device = &watched{Device: device.New(device.Config{Program: d.program(), Private: filepath.Join(t.TempDir(), "usb")})}
	c.Device, c.Host, c.Trust = d.device, "host.example", &proof.Trust{}
	if err := c.Trust.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.authority.Certificate.Raw})); err != nil {
		t.Fatal(err)
	}
	d.Daemon = factordtest.NewDaemon(t, factordtest.Options{
		Config: rules, Factors: []factor.Factor{piv.New(c)},
		Places: factordtest.Places(func(uint32) (session.Place, error) {
			if d.away {
				return session.Place{Local: policy.No}, nil
			}
			if d.other {
				return session.Place{Session: "2", Owner: 1002, Local: policy.Yes, Alone: true}, nil
			}
			return session.Place{Session: "1", Owner: 1001, Local: policy.Yes, Alone: true}, nil
		}),
	})
	return d
}

// program is factord-usb where pcscd's socket has another name: factord gives it no
// environment.
func (d *desk) program() string {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "factord-usb")
	script := fmt.Sprintf("#!/bin/sh\nPCSCLITE_CSOCK_NAME='%s' exec '%s'\n", d.readers.Socket, factordtest.USB(d.t))
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// yubikey is a card with a key in slot 9a.
type yubikey struct {
	*reader.Key
	t    testing.TB
	name string // as people are told it
}

// insert plugs in a new card with a key that was made on it.
func (d *desk) insert(c card.Config, pin gopiv.PINPolicy, touch gopiv.TouchPolicy) *yubikey {
	d.t.Helper()
	k := d.insertEmpty(c)
	k.generate(pin, touch)
	return k
}

func (d *desk) insertEmpty(c card.Config) *yubikey {
	d.t.Helper()
	if c.Authority == nil {
		c.Authority = d.authority
	}
	k := &yubikey{Key: d.readers.Insert(card.New(c)), t: d.t}
	k.name = key.Name(k.Card.Serial())
	return k
}

// generate makes another key in slot 9a.
func (k *yubikey) generate(pin gopiv.PINPolicy, touch gopiv.TouchPolicy) {
	k.t.Helper()
	k.use(func(yk *gopiv.YubiKey) error {
		_, err := yk.GenerateKey(gopiv.DefaultManagementKey, gopiv.SlotAuthentication,
			gopiv.Key{Algorithm: gopiv.AlgorithmEC256, PINPolicy: pin, TouchPolicy: touch})
		return err
	})
}

// use is another program with the card.
func (k *yubikey) use(do func(*gopiv.YubiKey) error) {
	k.t.Helper()
	yk, err := gopiv.Open(k.Reader)
	if err == nil {
		err = do(yk)
		yk.Close()
	}
	if err != nil {
		k.t.Fatal(err)
	}
}

// pins counts the PINs that the card got.
func (k *yubikey) pins() int {
	n := 0
	for _, e := range k.Card.Trace() {
		if verifies(e.Command) {
			n++
		}
	}
	return n
}

func verifies(apdu []byte) bool { return apdu[1] == 0x20 && len(apdu) > 5 }

// person types answers, and does something when they read something.
type person struct {
	factordtest.Talk
	when map[string]func() // by how what they read begins; once each
}

// Info implements wire.Conversation.
func (p *person) Info(text string) {
	p.Talk.Info(text)
	p.react(text)
}

// Ask implements wire.Conversation.
func (p *person) Ask(kind, text string) ([]byte, wire.Reply) {
	p.react(text)
	return p.Talk.Ask(kind, text)
}

func (p *person) react(text string) {
	for begin, do := range p.when {
		if strings.HasPrefix(text, begin) {
			delete(p.when, begin)
			do()
		}
	}
}

// read is what they have read, in a line.
func (p *person) read() string { return strings.Join(p.Shown, "|") }

var sudo = wire.Auth{User: "alice", Service: "sudo", First: true, Conv: wire.ConvPrompt}

// login logs alice in, who answers so.
func (d *desk) login(answers ...string) (wire.Verdict, *person) {
	d.t.Helper()
	return d.loginWhen(nil, answers...)
}

func (d *desk) loginWhen(when map[string]func(), answers ...string) (wire.Verdict, *person) {
	d.t.Helper()
	p := &person{Talk: factordtest.Talk{Answers: answers}, when: when}
	v, err := factordtest.Converse(d.Socket, -1, sudo, p)
	if err != nil {
		d.t.Fatal(err)
	}
	if len(when) > 0 {
		d.t.Errorf("never read: %v; but %q", when, p.Shown)
	}
	return v, p
}

// allowed checks a login that has to succeed, and what was read in it.
func (d *desk) allowed(v wire.Verdict, p *person, read ...string) {
	d.t.Helper()
	if !v.Allow || v.Factor != "piv" {
		d.t.Errorf("%+v, after %q", v, p.Shown)
	}
	d.hasRead(p, read...)
}

// denied checks one that must not.
func (d *desk) denied(v wire.Verdict, p *person, read ...string) {
	d.t.Helper()
	if v.Allow {
		d.t.Errorf("allowed: %+v, after %q", v, p.Shown)
	}
	d.hasRead(p, read...)
}

func (d *desk) hasRead(p *person, read ...string) {
	d.t.Helper()
	if read != nil && p.read() != strings.Join(read, "|") {
		d.t.Errorf("read %q\nwant %q", p.Shown, read)
	}
}

// enroll enrols as root; the PIN is typed if it is asked for.
func (d *desk) enroll(options string, answers ...string) (data string, p *person, err error) {
	d.t.Helper()
	p = &person{Talk: factordtest.Talk{Answers: answers}}
	c, err := factordtest.Dial(d.Socket, -1)
	if err != nil {
		d.t.Fatal(err)
	}
	defer c.Close()
	lines := wire.NewLines(c)
	if err := wire.Greet(lines); err != nil {
		d.t.Fatal(err)
	}
	user := "user=alice "
	if strings.Contains(options, "user=") {
		user = ""
	}
	err = wire.Call(lines, strings.TrimSpace("ENROLL factor=piv "+user+options), p, func(line []byte) { data += string(line) })
	return data, p, err
}

func (d *desk) mustEnroll(options string, answers ...string) string {
	d.t.Helper()
	data, p, err := d.enroll(options, answers...)
	if err != nil {
		d.t.Fatalf("enrolling: %v, after %q", err, p.Shown)
	}
	return data
}

// refused checks an enrolment of which nothing must come.
func (d *desk) refused(why, options string, answers ...string) {
	d.t.Helper()
	before := d.MustCall("LIST user=alice")
	data, p, err := d.enroll(options, answers...)
	if err == nil || !strings.Contains(err.Error(), why) || data != "" {
		d.t.Errorf("enrolled %s, %v; want %q; read %q", data, err, why, p.Shown)
	}
	if after := d.MustCall("LIST user=alice"); after != before {
		d.t.Errorf("kept %s", after)
	}
}

// gate is a finger that comes when it is told to.
type gate struct{ reached, touch chan struct{} }

func newGate() *gate { return &gate{make(chan struct{}, 9), make(chan struct{}, 9)} }

func (g *gate) finger(ctx context.Context, _ byte) bool {
	g.reached <- struct{}{}
	select {
	case <-g.touch:
		return true
	case <-ctx.Done():
		return false
	}
}

// audit is the last record of the chain.
func (d *desk) audit() string {
	d.t.Helper()
	all := strings.Split(d.MustCall("AUDIT"), "\n")
	return all[len(all)-1]
}

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

func await(t testing.TB, what string, from <-chan struct{}) {
	t.Helper()
	select {
	case <-from:
	case <-time.After(patience):
		t.Fatalf("never: %s", what)
	}
}
