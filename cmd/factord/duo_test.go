package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
)

// withDuo is a configuration that asks a simulator, with its secret key in a file.
func withDuo(sim *duosim.Server, skeyFile string) string {
	return fmt.Sprintf("[duo]\nikey = %q\nhost = %q\nskey_file = %q\nca_file = %q\n", sim.IKey(), sim.Host(), skeyFile, sim.CAFile()) +
		strings.Replace(factordtest.AnyRule, `["totp"`, `["duo", "totp"`, 1)
}

func keyFile(t *testing.T, path, key string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The programs as they are installed: the secret key is a credential, a rotated one is
// taken at a reload, and root sees how Duo is.
func TestDuo(t *testing.T) {
	factordtest.NeedRoot(t)
	sim := duosim.Start(t, duosim.Config{Users: []duosim.User{{Name: person, Passcodes: []string{"111222", "3334445"}, Answer: duosim.Approved,
		Devices: []duosim.Device{duosim.Phone("Pixel 5", "+15555550123")}}}})
	dir := factordtest.OpenDir(t)
	key := keyFile(t, filepath.Join(dir, "duo-skey"), sim.SKey())
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{Config: withDuo(sim, "credential:duo-skey"), Env: []string{"CREDENTIALS_DIRECTORY=" + dir}})
	for _, answer := range []string{"", "111 222"} {
		if v := p.Login(-1, login, answer); !v.Allow || v.Factor != "duo" {
			t.Errorf("%q: %+v", answer, v)
		}
	}
	token := p.MustEnroll(person, "totp") // is asked before Duo is
	if v := p.Login(-1, login, factordtest.TOTP(t, token, time.Now())); !v.Allow || v.Factor != "totp" {
		t.Errorf("totp: %+v", v)
	}
	status := fmt.Sprint(p.MustCall(wire.VerbStatus))
	for _, want := range []string{"reachable:yes", "last_answer:", "certificate_end:", "clock:this clock agrees with Duo's"} {
		if !strings.Contains(status, want) {
			t.Errorf("status without %q: %s", want, status)
		}
	}
	keyFile(t, key, sim.RotateKey())
	if v := p.Login(-1, login, "3334445"); v.Allow {
		t.Errorf("with the old key: %+v", v)
	}
	p.Hangup()
	if v := p.Login(-1, login, "3334445"); !v.Allow {
		t.Errorf("with the new one: %+v", v)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	p.Hangup()
	if v := p.Login(-1, login, ""); !v.Allow {
		t.Errorf("with what was in force: %+v", v)
	}
	if strings.Contains(p.Log(), sim.SKey()) {
		t.Error("the secret key is in the log")
	}
	p.Stop()
}

// A [duo] that can't work is told at the start, with its place.
func TestBrokenDuo(t *testing.T) {
	sim := duosim.Start(t, duosim.Config{})
	for name, c := range map[string]struct{ config, want string }{
		"no credential": {withDuo(sim, "credential:duo-skey"), "factord.toml:4: skey_file: there are no credentials"},
		"no file":       {withDuo(sim, "/nonexistent/skey"), "no such file"},
		"no CA":         {strings.Replace(withDuo(sim, keyFile(t, filepath.Join(t.TempDir(), "skey"), sim.SKey())), sim.CAFile(), "/nonexistent/ca.pem", 1), "reading ca_file"},
	} {
		t.Run(name, func(t *testing.T) {
			p := factordtest.Prepare(t, factordtest.ProcessOptions{Config: c.config})
			p.Launch(p.Args()...)
			if status := p.Wait(10 * time.Second); status == 0 || !strings.Contains(p.Log(), c.want) {
				t.Errorf("status %d, log %q", status, p.Log())
			}
		})
	}
}
