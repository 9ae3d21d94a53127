package main_test

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/factordtest/yksim"
	"github.com/factord/factord/daemon/wire"
)

// withServer is a configuration that asks a server, whose API key is a credential
// in dir.
func withServer(t *testing.T, dir, url string, s *yksim.Server, more string) factordtest.ProcessOptions {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "yubico-api-key"), []byte(base64.StdEncoding.EncodeToString(s.APIKey)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return factordtest.ProcessOptions{Env: []string{"CREDENTIALS_DIRECTORY=" + dir}, Config: fmt.Sprintf(
		"[[yubico.server]]\nurl = %q\nclient_id = %d\napi_key_file = \"credential:yubico-api-key\"\n%s[[rule]]\nfactors = [\"yubico\", \"backup\"]\n", url, yksim.ClientID, more)}
}

var nobody = wire.Auth{User: "nobody", Service: "sudo"}

// The programs as they are installed, over TLS with a certificate that only ca_file
// vouches for.
func TestYubicoServer(t *testing.T) {
	factordtest.NeedRoot(t)
	k := yksim.NewKey("dteffujehknh")
	s := yksim.NewServer(k)
	web := httptest.NewTLSServer(s)
	t.Cleanup(web.Close)
	dir := factordtest.OpenDir(t)
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pemOf(web), 0o644); err != nil {
		t.Fatal(err)
	}
	p := factordtest.StartProcess(t, withServer(t, dir, web.URL+yksim.Path, s, "ca_file = \""+ca+"\"\n"))
	if data, err := factordtest.Call(p.Socket, -1, "ENROLL factor=yubico user=nobody", k.Touch()); err != nil || len(data) != 1 {
		t.Fatalf("%q, %v", data, err)
	}
	otp := k.Touch()
	if v := p.Login(-1, nobody, otp); !v.Allow || v.Factor != "yubico" {
		t.Errorf("%+v", v)
	}
	if v := p.Login(-1, nobody, otp); v.Allow || v.Reason != wire.ReasonReplayed {
		t.Errorf("again: %+v", v)
	}
	p.Configure(withServer(t, dir, web.URL+yksim.Path, s, "").Config)
	p.Hangup()
	if v := p.Login(-1, nobody, k.Touch()); v.Allow || v.Reason != wire.ReasonUnavailable {
		t.Errorf("without ca_file: %+v", v)
	}
	if log := p.Log(); strings.Contains(log, otp) || strings.Contains(log, base64.StdEncoding.EncodeToString(s.APIKey)) {
		t.Errorf("a secret is in the log: %s", log)
	}
	p.Stop()
}

// A validation server that is taken out of the configuration is let go of, and who has
// nothing but a key that it verified is told why there is no asking.
func TestYubicoServerTakenAway(t *testing.T) {
	factordtest.NeedRoot(t)
	k := yksim.NewKey("dteffujehknh")
	s := yksim.NewServer(k)
	var open atomic.Int32
	web := httptest.NewUnstartedServer(s)
	web.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	web.Start()
	t.Cleanup(web.Close)
	dir := factordtest.OpenDir(t)
	o := withServer(t, dir, web.URL+yksim.Path, s, "")
	p := factordtest.StartProcess(t, o)
	p.MustEnroll("nobody", "yubico", "public-id", k.PublicID)
	if v := p.Login(-1, nobody, k.Touch()); !v.Allow {
		t.Fatalf("%+v", v)
	}
	if n := open.Load(); n != 1 {
		t.Errorf("%d connections after a login", n)
	}
	p.Configure(o.Config[strings.Index(o.Config, "[[rule]]"):])
	p.Hangup()
	for end := time.Now().Add(10 * time.Second); open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the connection to the old server is kept")
		}
	}
	proven := nobody
	proven.First = true
	if v := p.Login(-1, proven, k.Touch()); v.Allow || !strings.Contains(v.Text, "your YubiKey can't be verified here") {
		t.Errorf("%+v", v)
	}
	p.Stop()
}

// Duo takes OTPs of YubiKeys too, but none goes there of who has a key enrolled here.
func TestYubicoBesideDuo(t *testing.T) {
	factordtest.NeedRoot(t)
	k, atDuo := yksim.NewKey("dteffujehknh"), yksim.NewKey("cccccchvbdtu")
	first, second := atDuo.Touch(), atDuo.Touch()
	sim := duosim.Start(t, duosim.Config{Users: []duosim.User{{Name: person, Passcodes: []string{first, second}, Devices: []duosim.Device{duosim.Phone("Pixel 5", "+15555550123")}}}})
	config := withDuo(sim, keyFile(t, filepath.Join(factordtest.OpenDir(t), "skey"), sim.SKey()))
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{Config: strings.Replace(config, `"duo"`, `"duo", "yubico"`, 1)})
	if v := p.Login(-1, login, first); !v.Allow || v.Factor != "duo" {
		t.Errorf("no key here: %+v", v)
	}
	privateID, aesKey := k.Secrets()
	if _, err := factordtest.Call(p.Socket, -1, "ENROLL factor=yubico seed=1 user="+person+" public-id="+k.PublicID, privateID+" "+aesKey); err != nil {
		t.Fatal(err)
	}
	otp := k.Touch()
	if v := p.Login(-1, login, otp); !v.Allow || v.Factor != "yubico" {
		t.Errorf("the key that is here: %+v", v)
	}
	if v := p.Login(-1, login, otp); v.Allow || v.Reason != wire.ReasonReplayed {
		t.Errorf("again: %+v", v)
	}
	if v := p.Login(-1, login, second); v.Allow {
		t.Errorf("the other key: %+v", v)
	}
	p.Stop()
}

func pemOf(web *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
}

// Killed when the server has said OK and nobody has been let in yet: the OTP is used
// up, and nobody gets in with it.
func TestKilledAfterOK(t *testing.T) {
	factordtest.NeedRoot(t)
	k := yksim.NewKey("dteffujehknh")
	s := yksim.NewServer(k)
	said, let := make(chan struct{}, 1), make(chan struct{})
	var hold atomic.Bool
	s.Send = func(w http.ResponseWriter, r *http.Request, body string) {
		if hold.Load() {
			said <- struct{}{} // the OTP is used up here
			select {
			case <-let:
			case <-r.Context().Done():
			}
		}
		fmt.Fprint(w, body)
	}
	dir := factordtest.OpenDir(t)
	p := factordtest.StartProcess(t, withServer(t, dir, s.Start(t), s, ""))
	p.MustEnroll("nobody", "yubico", "public-id", k.PublicID)
	if v := p.Login(-1, nobody, k.Touch()); !v.Allow {
		t.Fatalf("%+v", v)
	}
	hold.Store(true)
	otp := k.Touch()
	verdict := make(chan error, 1)
	go func() {
		v, err := factordtest.Login(p.Socket, -1, nobody, &factordtest.Talk{Answers: []string{otp}})
		if err == nil && v.Allow {
			err = fmt.Errorf("let in: %+v", v)
		} else {
			err = nil
		}
		verdict <- err
	}()
	select {
	case <-said:
	case <-time.After(10 * time.Second):
		t.Fatal("the server was not asked")
	}
	p.Kill9()
	close(let)
	hold.Store(false)
	if err := <-verdict; err != nil {
		t.Error(err)
	}
	p.Start()
	if v := p.Login(-1, nobody, otp); v.Allow {
		t.Errorf("with the same OTP: %+v", v)
	}
	if v := p.Login(-1, nobody, k.Touch()); !v.Allow {
		t.Errorf("with the next: %+v", v)
	}
	p.Stop()
}

// A [[yubico.server]] that can't work is told at the start, with its place.
func TestBrokenYubicoServer(t *testing.T) {
	dir := factordtest.OpenDir(t)
	o := withServer(t, dir, "https://127.0.0.1:1/verify", yksim.NewServer(), "ca_file = \"/nonexistent/ca.pem\"\n")
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"no credential": {nil, "factord.toml:4: api_key_file: there are no credentials"},
		"no CA":         {o.Env, "reading ca_file of [[yubico.server]]: open /nonexistent/ca.pem"},
	} {
		o.Env = test.env
		p := factordtest.Prepare(t, o)
		p.Launch(p.Args()...)
		if status := p.Wait(10 * time.Second); status == 0 || !strings.Contains(p.Log(), test.want) {
			t.Errorf("%s: status %d, log %q", name, status, p.Log())
		}
	}
}
