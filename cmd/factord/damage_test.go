package main_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// A record that does not unseal can't be sealed with the new key. Its owner must
// not become one without a factor, whom mode "enrolled" lets in, until root says so.
func TestRekeyOfADamagedRecord(t *testing.T) {
	factordtest.NeedRoot(t)
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{Config: "[[rule]]\nmode = \"enrolled\"\nfactors = [\"totp\"]\n"})
	auth := wire.Auth{User: "nobody", Service: "sudo"}
	if v := p.Login(-1, auth); !v.Allow {
		t.Fatalf("without a factor: %+v", v)
	}
	token := p.MustEnroll("nobody", "totp")
	p.Stop()
	db, err := bolt.Open(filepath.Join(p.State, "factord.db"), 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		key := []byte("nobody\x00totp\x00totp-1")
		value := bytes.Clone(tx.Bucket([]byte("records")).Get(key))
		value[len(value)-1] ^= 1
		return tx.Bucket([]byte("records")).Put(key, value)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(factordtest.Build(t), "factord"), "--rekey", "--state", p.State).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `warning: damaged: records "nobody/totp/totp-1"`) {
		t.Errorf("%v\n%s", err, out)
	}
	if key, err := os.ReadFile(filepath.Join(p.State, "seal.key")); err != nil || bytes.Contains(out, bytes.TrimSpace(key)) {
		t.Errorf("%v, or the key is in the output", err)
	}
	p.Start()
	for _, answer := range []string{factordtest.TOTP(t, token, time.Now()), "000000"} {
		if v := p.Login(-1, auth, answer); v.Allow || v.Reason != wire.ReasonUnavailable {
			t.Errorf("%+v", v)
		}
	}
	list, err := factordtest.Call(p.Socket, -1, wire.Command(wire.VerbList, "user", "nobody"))
	if err != nil || !strings.Contains(strings.Join(list, ""), `"id":"totp-1","factor":"totp","kind":"damaged"`) {
		t.Errorf("root sees %v, %v", list, err)
	}
	p.MustCall(wire.Command(wire.VerbRemove, "user", "nobody", "id", "totp-1"))
	token = p.MustEnroll("nobody", "totp")
	if v := p.Login(-1, auth, factordtest.TOTP(t, token, time.Now())); !v.Allow {
		t.Errorf("after root has cleared it away: %+v", v)
	}
}
