package main_test

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// So is a login in which somebody sets up a factor: what was kept can't be taken
// back, and they hear that it may be there. The next login asks for its code.
func TestUnheardEnrolment(t *testing.T) {
	factordtest.NeedRoot(t)
	file := filepath.Join(factordtest.OpenDir(t), "audit.jsonl")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{Config: "[audit]\nstrict = true\nfile = \"" + file +
		"\"\n[totp]\nwindow = 10\n[[rule]]\nfactors = [\"totp\", \"backup\"]\nenroll = \"login\"\n"})
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	n := &newcomer{t: t}
	c, err := factordtest.Dial(p.Socket, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	a := wire.Auth{User: person, Service: "sshd", First: true, Conv: wire.ConvPrompt}
	v, err := wire.Login(wire.NewLines(c), a, n)
	if err != nil || v.Allow || v.Reason != wire.ReasonUnavailable || !strings.Contains(v.Text, "may be set up") {
		t.Fatalf("without a copy: %+v, %v", v, err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if v := p.Login(-1, a, factordtest.TOTP(t, n.token, time.Now().Add(time.Minute))); !v.Allow || v.Factor != "totp" {
		t.Errorf("with a copy: %+v", v)
	}
}

// newcomer types the first code of the token that is shown.
type newcomer struct {
	t     *testing.T
	token factordtest.Token
}

// Info implements wire.Conversation.
func (n *newcomer) Info(text string) {
	if secret, found := strings.CutPrefix(text, "Secret: "); found {
		secret, _, _ = strings.Cut(secret, "  ")
		n.token.URI = "?secret=" + strings.ReplaceAll(secret, " ", "")
	}
}

// Ask implements wire.Conversation.
func (n *newcomer) Ask(string, string) ([]byte, wire.Reply) {
	return []byte(factordtest.TOTP(n.t, n.token, time.Now())), wire.ReplyAnswer
}
