package touch_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/totp"
	"github.com/factord/factord/daemon/factor/touch"
	"github.com/factord/factord/daemon/factor/yubico"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/keysim"
	"github.com/factord/factord/daemon/factordtest/yksim"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
)

const (
	aliceUID = 1001
	alicesID = "vvccccccccfl"
	serial   = 12345678

	rules = "[[rule]]\nname=\"any\"\nfactors=[\"touch\",\"yubico\",\"totp\",\"backup\"]\ncallers=[\"root\",\"user\"]\n"
)

// desk is a machine at which alice sits, with her YubiKey in it.
type desk struct {
	*factordtest.Daemon
	t    testing.TB
	keys *keysim.Keys
	otp  *yksim.Key
	away bool // she sits elsewhere
}

func newDesk(t testing.TB) *desk { return deskWith(t, yubico.Config{}) }

func deskWith(t testing.TB, c yubico.Config) *desk {
	t.Helper()
	factordtest.NeedRoot(t)
	d := &desk{t: t, keys: keysim.New(), otp: yksim.NewKey(alicesID)}
	otps, codes := yubico.New(c), totp.New(totp.Config{Window: 1})
	d.Daemon = factordtest.NewDaemon(t, factordtest.Options{
		Config:  rules,
		Factors: []factor.Factor{otps, touch.New(touch.Config{Device: d.keys, OTP: otps, Code: codes})},
		Places: factordtest.Places(func(uint32) (session.Place, error) {
			if d.away {
				return session.Place{Local: policy.No}, nil
			}
			return session.Place{Session: "1", Owner: aliceUID, Local: policy.Yes, Alone: true}, nil
		}),
	})
	d.plug()
	return d
}

// plug plugs alice's key in.
func (d *desk) plug() { d.keys.Plug(&keysim.Key{Serial: serial, Types: d.otp.Touch}) }

// enrollOTP enrols alice's key for typed OTPs.
func (d *desk) enrollOTP() {
	d.t.Helper()
	privateID, aesKey := d.otp.Secrets()
	d.MustCall("ENROLL factor=yubico user=alice seed=1 public-id="+alicesID, privateID+" "+aesKey)
}

// touchWhen touches the key when a job waits for it.
func (d *desk) touchWhen(serial uint32) (touched chan struct{}) {
	touched = make(chan struct{})
	go func() {
		defer close(touched)
		d.Wait(func() bool { return d.keys.Touch(serial) })
	}()
	return touched
}

// enrollTouch is a guided enrolment, in which the key is touched.
func (d *desk) enrollTouch(options ...string) (data string, err error) {
	d.t.Helper()
	touched := d.touchWhen(serial)
	answers := []string{}
	if len(options) > 0 && strings.Contains(options[0], "seed=1") {
		answers = options[1:]
		options = options[:1]
	}
	lines, err := factordtest.Call(d.Socket, -1, strings.Join(append([]string{"ENROLL factor=touch user=alice"}, options...), " "), answers...)
	<-touched
	return strings.Join(lines, "\n"), err
}

func (d *desk) mustEnrollTouch() string {
	d.t.Helper()
	data, err := d.enrollTouch()
	if err != nil {
		d.t.Fatal(err)
	}
	return data
}

// armed waits until a job is ready for a touch.
func (d *desk) armed() { d.until(agent.Ready) }

func (d *desk) until(state agent.State) {
	d.t.Helper()
	d.Wait(func() bool {
		all := d.keys.Waiting()
		return len(all) > 0 && all[0].State == state
	})
}

func (d *desk) expect(v wire.Verdict, want string) {
	d.t.Helper()
	got := "deny " + v.Reason.String()
	if v.Allow {
		got = v.Basis.String() + " " + v.Factor
	}
	if got != want {
		d.t.Errorf("got %q (%s), want %q", got, v.Text, want)
	}
}

var sudo = wire.Auth{User: "alice", Service: "sudo", First: true}

// typed logs in with a typed answer.
func (d *desk) typed(answer string) wire.Verdict {
	d.t.Helper()
	return d.Login(sudo, answer)
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

const (
	ask     = "Touch YubiKey 12345678, or type a code:"
	allowed = "S VERDICT allow basis=factor factor=touch rule=any"
)

// byTouch logs in with one touch.
func (d *desk) byTouch() {
	d.t.Helper()
	l := d.race("sudo")
	l.expect(question(ask))
	if !d.keys.Touch(serial) {
		d.t.Fatal("nobody waits for a touch though the question says so")
	}
	l.expect(allowed)
}

// audit is the last record of the chain.
func (d *desk) audit() string {
	d.t.Helper()
	all := strings.Split(d.MustCall("AUDIT"), "\n")
	return all[len(all)-1]
}
