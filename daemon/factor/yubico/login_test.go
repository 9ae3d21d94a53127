package yubico_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/yubico"
	"github.com/factord/factord/daemon/factor/yubico/ykval"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/yksim"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// Logins with a whole daemon, a real store and a server.

const alicesID, bobsID = "dteffujehknh", "idkfefrdhtru"

var (
	sudo   = wire.Auth{User: "alice", Service: "sudo"}
	proven = wire.Auth{User: "alice", Service: "sudo", First: true}
)

func newDaemon(t *testing.T, servers yubico.Servers) *factordtest.Daemon {
	t.Helper()
	factordtest.NeedRoot(t)
	return factordtest.NewDaemon(t, factordtest.Options{
		Config:  "[[rule]]\nfactors = [\"yubico\", \"totp\", \"backup\"]\n",
		Factors: []factor.Factor{yubico.New(yubico.Config{Servers: servers})},
	})
}

func clientOf(t *testing.T, s *yksim.Server) *ykval.Client {
	return ykval.New(ykval.Config{Servers: []ykval.Server{{URL: s.Start(t), ClientID: yksim.ClientID, APIKey: s.APIKey}}, Deadline: 5 * time.Second})
}

// enrol gives a user a key with its secrets.
func enrol(d *factordtest.Daemon, user string, k *yksim.Key) (data []string, err error) {
	privateID, aesKey := k.Secrets()
	return factordtest.Call(d.Socket, -1, "ENROLL factor=yubico user="+user+" public-id="+k.PublicID+" seed=1", privateID+" "+aesKey)
}

func expect(t *testing.T, v wire.Verdict, want string) {
	t.Helper()
	got := "deny " + v.Reason.String()
	if v.Allow {
		got = strings.TrimSpace("allow " + v.Basis.String() + " " + v.Factor)
	}
	if got != want {
		t.Errorf("got %q (%s), want %q", got, v.Text, want)
	}
}

func TestLocalLogin(t *testing.T) {
	d := newDaemon(t, nil)
	alices, bobs := yksim.NewKey(alicesID), yksim.NewKey(bobsID)
	if data, err := enrol(d, "alice", alices); err != nil || len(data) != 1 || !strings.Contains(data[0], `"id":"yubico-1","factor":"yubico"`) {
		t.Fatalf("%s, %v", data, err)
	}
	if _, err := enrol(d, "bob", alices); err == nil || !strings.Contains(err.Error(), "another user's") {
		t.Errorf("alice's key for bob: %v", err)
	}
	if _, err := enrol(d, "bob", bobs); err != nil {
		t.Fatal(err)
	}
	p := &factordtest.Talk{Answers: []string{alices.Touch()}}
	v, err := factordtest.Login(d.Socket, -1, proven, p)
	if err != nil || p.Shown[0] != "YubiKey touch: " {
		t.Errorf("shown %q, %v", p.Shown, err)
	}
	expect(t, v, "allow factor yubico")
	otp := alices.Touch()
	expect(t, d.Login(sudo, otp), "allow factor yubico")
	expect(t, d.Login(sudo, otp), "deny replayed")
	expect(t, d.Login(sudo, bobs.Touch()), "deny denied")
	d.Stop()
	d.Run() // what was spent is on disk
	expect(t, d.Login(sudo, otp), "deny replayed")
	d.MustCall("REMOVE user=alice id=yubico-1")
	expect(t, d.Login(proven, alices.Touch()), "deny not-enrolled")
}

// Bob takes no key from alice by making up secrets for its public id. He is told so
// before he has to prove or to give anything; a touch still enrols his own.
func TestOnlyRootGivesSecrets(t *testing.T) {
	bobs := yksim.NewKey(bobsID)
	d := newDaemon(t, clientOf(t, yksim.NewServer(bobs)))
	backup := d.MustEnroll("bob", "backup")
	alices := yksim.NewKey(alicesID)
	privateID, aesKey := yksim.NewKey(alicesID).Secrets()
	madeUp := "ENROLL factor=yubico public-id=" + alices.PublicID + " seed=1"
	_, err := factordtest.Call(d.Socket, 1002, madeUp, backup.Codes[0], privateID+" "+aesKey)
	if err == nil || !strings.Contains(err.Error(), "only root") {
		t.Errorf("made-up secrets: %v", err)
	}
	if _, err := enrol(d, "alice", alices); err != nil {
		t.Errorf("alice's key, by root: %v", err)
	}
	if _, err := factordtest.Call(d.Socket, 1002, "ENROLL factor=yubico public-id="+bobs.PublicID, backup.Codes[0], bobs.Touch()); err != nil {
		t.Errorf("with the code that was not spent: %v", err)
	}
}

// While a record can't be read, nobody knows whose the key is that comes. Root hears
// which it is, and can clear it away.
func TestUnreadableOwner(t *testing.T) {
	k := yksim.NewKey(bobsID)
	d := newDaemon(t, clientOf(t, yksim.NewServer(k)))
	backup := d.MustEnroll("bob", "backup")
	d.MustEnroll("alice", "yubico", "public-id", alicesID)
	err := d.Store.Update(t.Context(), func(tx *store.Tx) error { return tx.Scope("alice", "yubico").Put("yubico-1", []byte("{}")) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enrol(d, "bob", k); err == nil || !strings.Contains(err.Error(), "factorctl remove yubico-1 --user alice") {
		t.Errorf("root: %v", err)
	}
	if _, err := factordtest.Call(d.Socket, 1002, "ENROLL factor=yubico", backup.Codes[0], k.Touch()); err == nil || strings.Contains(err.Error(), "alice") {
		t.Errorf("bob: %v", err)
	}
	d.MustCall("REMOVE user=alice id=yubico-1")
	if _, err := enrol(d, "bob", k); err != nil {
		t.Error(err)
	}
}

// However many codes were wrong, an OTP need not wait: nobody guesses one.
func TestOTPsNeverWait(t *testing.T) {
	d := newDaemon(t, nil)
	k := yksim.NewKey(alicesID)
	if _, err := enrol(d, "alice", k); err != nil {
		t.Fatal(err)
	}
	d.MustEnroll("alice", "totp")
	for range 7 {
		d.Login(sudo, "000000", "000000", "000000")
	}
	expect(t, d.Login(sudo, "000000"), "deny rate-limited")
	expect(t, d.Login(sudo, k.Touch()), "allow factor yubico")
}

// Of many connections with one OTP one gets in, though the server has no memory.
func TestOnceOnly(t *testing.T) {
	k := yksim.NewKey(alicesID)
	s := yksim.NewServer(k)
	s.Change = func(answer map[string]string) {
		if strings.HasPrefix(answer["status"], "REPLAYED") {
			answer["status"] = "OK"
		}
	}
	d := newDaemon(t, clientOf(t, s))
	d.MustCall("ENROLL factor=yubico user=alice", k.Touch())
	local := yksim.NewKey(bobsID)
	if _, err := enrol(d, "alice", local); err != nil {
		t.Fatal(err)
	}
	for _, key := range []*yksim.Key{k, local} {
		otp := key.Touch()
		var in atomic.Int32
		var all sync.WaitGroup
		for range 12 {
			all.Go(func() {
				v, err := factordtest.Login(d.Socket, -1, sudo, &factordtest.Talk{Answers: []string{otp}})
				if err != nil {
					t.Error(err)
				} else if v.Allow {
					in.Add(1)
				}
			})
		}
		if all.Wait(); in.Load() != 1 {
			t.Errorf("%d were let in with one OTP of %s", in.Load(), key.PublicID)
		}
	}
}

func TestServerLogin(t *testing.T) {
	alices, bobs := yksim.NewKey(alicesID), yksim.NewKey(bobsID)
	s := yksim.NewServer(alices, bobs)
	d := newDaemon(t, clientOf(t, s))
	first := alices.Touch()
	if got := d.MustCall("ENROLL factor=yubico user=alice", "123456", first); !strings.Contains(got, `"id":"yubico-1"`) {
		t.Errorf("enrolled: %s", got)
	}
	if _, err := factordtest.Call(d.Socket, -1, "ENROLL factor=yubico user=bob", alices.Touch()); err == nil || !strings.Contains(err.Error(), "another user's") {
		t.Errorf("alice's key for bob: %v", err)
	}
	expect(t, d.Login(sudo, first), "deny replayed")
	otp := alices.Touch()
	expect(t, d.Login(sudo, otp), "allow factor yubico")
	expect(t, d.Login(sudo, otp), "deny replayed")
	s.Forget()
	expect(t, d.Login(sudo, otp), "deny replayed")
	n := s.Requests()
	expect(t, d.Login(sudo, bobs.Touch()), "deny denied")
	if s.Requests() != n {
		t.Error("the server was asked about bob's key")
	}
	expect(t, d.Login(sudo, yksim.NewKey(alicesID).Touch(), strings.ToUpper(alices.Touch())), "allow factor yubico")
}

// A client that hangs up takes its question to the server with it.
func TestHangUp(t *testing.T) {
	k := yksim.NewKey(alicesID)
	s := yksim.NewServer(k)
	asked, ended := make(chan struct{}), make(chan struct{})
	s.Send = func(_ http.ResponseWriter, r *http.Request, _ string) {
		asked <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	}
	d := newDaemon(t, clientOf(t, s))
	d.MustEnroll("alice", "yubico", "public-id", alicesID)
	for name, talk := range map[string]func(*wire.Lines) error{
		"login": func(l *wire.Lines) error {
			_, err := wire.Login(l, wire.Auth{User: "alice", Service: "sudo", Conv: wire.ConvPrompt}, &factordtest.Talk{Answers: []string{k.Touch()}})
			return err
		},
		"enrolment": func(l *wire.Lines) error {
			if err := wire.Greet(l); err != nil {
				return err
			}
			return wire.Call(l, "ENROLL factor=yubico user=bob", &factordtest.Talk{Answers: []string{yksim.NewKey(bobsID).Touch()}}, func([]byte) {})
		},
	} {
		c, err := factordtest.Dial(d.Socket, -1)
		if err != nil {
			t.Fatal(err)
		}
		over := make(chan error, 1)
		go func() { over <- talk(wire.NewLines(c)) }()
		for _, step := range []chan struct{}{asked, ended} {
			select {
			case <-step:
			case <-time.After(4 * time.Second): // less than the client's own deadline
				t.Fatalf("%s: in vain", name)
			}
			c.Close()
		}
		if err := <-over; err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A server's faults are not the user's: nothing is counted, and another answer may
// follow in the same attempt.
func TestServerFaultsCostNothing(t *testing.T) {
	k := yksim.NewKey(alicesID)
	s := yksim.NewServer(k)
	d := newDaemon(t, clientOf(t, s))
	d.MustEnroll("alice", "yubico", "public-id", alicesID)
	codes := d.MustEnroll("alice", "backup").Codes
	d.MustEnroll("alice", "totp")
	for i, status := range []string{"BACKEND_ERROR", "NO_SUCH_CLIENT", "BAD_SIGNATURE", "NOT_ENOUGH_ANSWERS", "REPLAYED_REQUEST", "FROBBED", "MISSING_PARAMETER", "OPERATION_NOT_ALLOWED"} {
		s.Status = status
		expect(t, d.Login(sudo, k.Touch()), "deny unavailable")
		expect(t, d.Login(sudo, k.Touch(), k.Touch(), k.Touch()), "deny unavailable")
		expect(t, d.Login(sudo, k.Touch(), codes[i]), "allow factor backup")
	}
	for range 30 {
		d.Login(sudo, k.Touch())
	}
	expect(t, d.Login(sudo, "000000"), "deny denied") // and not "rate-limited"
	s.Status = ""
	expect(t, d.Login(sudo, k.Touch()), "allow factor yubico")
	if _, err := factordtest.Call(d.Socket, -1, "ENROLL factor=yubico user=bob", "123456"); err == nil {
		t.Error("enrolled without an OTP")
	}
	s.Status = "BACKEND_ERROR"
	if _, err := factordtest.Call(d.Socket, -1, "ENROLL factor=yubico user=bob", yksim.NewKey(bobsID).Touch()); err == nil || !strings.Contains(err.Error(), "can't be asked") {
		t.Errorf("enrolling without an answer: %v", err)
	}
}
