package main_test

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// A login that strict mode refuses for want of a copy is not remembered: nobody
// has heard of the proof.
func TestUnheardProofIsNotRemembered(t *testing.T) {
	factordtest.NeedRoot(t)
	dir := factordtest.OpenDir(t)
	file := filepath.Join(dir, "audit.jsonl")
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{Config: "[audit]\nstrict = true\nfile = \"" + file +
		"\"\n[[rule]]\nfactors = [\"backup\"]\nremember = \"8h\"\n"})
	codes := p.MustEnroll(person, "backup").Codes
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public())
	if err != nil {
		t.Fatal(err)
	}
	login := func(answers ...string) wire.Verdict {
		t.Helper()
		a := wire.Auth{User: person, Service: "sshd", RHost: "203.0.113.7", TTY: "ssh", AuthInfo: true, First: true}
		v, err := factordtest.Login(p.Socket, -1, a, &factordtest.Talk{AuthInfo: "publickey " + string(ssh.MarshalAuthorizedKey(key)), Answers: answers})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	allow := func(mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	allow(0o666) // others could write it, so factord does not
	if v := login(codes[0]); v.Allow || v.Reason != wire.ReasonUnavailable {
		t.Fatalf("without a copy: %+v", v)
	}
	allow(0o600)
	if v := login(); v.Allow {
		t.Errorf("remembered: %+v", v)
	}
	if v := login(codes[1]); !v.Allow {
		t.Errorf("with a code and a copy: %+v", v)
	}
	if v := login(); v.Basis != wire.BasisRemembered {
		t.Errorf("and now: %+v", v)
	}
}
