package fido2_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb/virtual/fido"
)

// A copy of a key is found out when both are used.
func TestCounter(t *testing.T) {
	next, copied := uint32(7), false
	d, _ := enrolled(t, fido.Options{Count: func(uint32) uint32 { // silent looks count too
		if !copied {
			next++
		}
		return next
	}}, "")
	d.expect("allow fido2", "")
	copied = true
	for n, back := range []uint32{next, next - 1, 0} {
		next = back
		d.expect("deny denied", "the security key's answer is not right: use another factor and tell your administrator")
		if all := d.MustCall("AUDIT"); strings.Count(all, "counter did not go up") != n+1 || strings.Count(all, "there may be a copy of the key") != n+1 {
			t.Errorf("audit: %s", all)
		}
	}
	next, copied = 100, false
	d.expect("allow fido2", "")
}

// A key without a counter says 0 for ever.
func TestNoCounter(t *testing.T) {
	d, _ := enrolled(t, fido.Options{Count: func(uint32) uint32 { return 0 }}, "")
	d.expect("allow fido2", "")
	d.expect("allow fido2", "")
}

// An answer is worth nothing in another attempt.
func TestReplay(t *testing.T) {
	d, _ := enrolled(t, fido.Options{Count: func(uint32) uint32 { return 0 }}, "")
	var old agent.AssertReply
	d.jobs.change(func(_ *agent.AssertRequest, r *agent.AssertReply) { old = *r })
	d.expect("allow fido2", "")
	d.jobs.change(func(_ *agent.AssertRequest, r *agent.AssertReply) { *r = old })
	d.expect("deny denied", "the security key's answer is not right")
	d.jobs.change(func(_ *agent.AssertRequest, r *agent.AssertReply) { r.Credential = []byte("another") })
	d.expect("deny denied", "the security key's answer is not right")
	if all := d.MustCall("AUDIT"); !strings.Contains(all, "was not asked for") {
		t.Errorf("audit: %s", all)
	}
	d.jobs.change(func(_ *agent.AssertRequest, r *agent.AssertReply) { *r = agent.AssertReply{Credential: r.Credential} })
	d.expect("deny denied", "the security key's answer is not right")
}

// Each login has a challenge of its own, and never is a key asked without a touch.
func TestFresh(t *testing.T) {
	d, _ := enrolled(t, fido.Options{}, "")
	var seen [][]byte
	d.jobs.change(func(q *agent.AssertRequest, _ *agent.AssertReply) {
		seen = append(seen, q.ClientHash)
		if !q.UP || q.RPID != "factord" || len(q.Credentials) != 1 {
			t.Errorf("asked for %+v", q)
		}
	})
	d.expect("allow fido2", "")
	d.expect("allow fido2", "")
	if len(seen) != 2 || bytes.Equal(seen[0], seen[1]) {
		t.Errorf("%x", seen)
	}
}

// forger signs whatever it likes, with the private key of a credential.
type forger struct {
	*ecdsa.PrivateKey
	id []byte
}

func newForger(t *testing.T) *forger {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &forger{k, []byte("forged")}
}

// raw is X and Y.
func (f *forger) raw(t *testing.T) []byte {
	point, err := f.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return point[1:]
}

// line is the credential in a mapping file of pam_u2f.
func (f *forger) line(t *testing.T, options string) string {
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("alice:%s,%s,es256,%s\n", b64(f.id), b64(f.raw(t)), options)
}

func (f *forger) sign(t *testing.T, rpID string, flags byte, counter uint32, q *agent.AssertRequest) agent.AssertReply {
	rp := sha256.Sum256([]byte(rpID))
	data := binary.BigEndian.AppendUint32(append(rp[:], flags), counter)
	sum := sha256.Sum256(append(bytes.Clone(data), q.ClientHash...))
	signature, err := ecdsa.SignASN1(rand.Reader, f.PrivateKey, sum[:])
	if err != nil {
		t.Error(err)
	}
	return agent.AssertReply{Credential: f.id, AuthData: data, Signature: signature}
}

// What is signed with the right key still has to say the right thing.
func TestDemands(t *testing.T) {
	const origin = "pam://" + host
	for _, test := range []struct {
		name, options, rpID string
		flags               byte
		ok                  bool
	}{
		{"touch", "+presence", origin, 0x01, true},
		{"verified too", "+presence", origin, 0x05, true},
		{"no touch", "+presence", origin, 0x00, false},
		{"verified without a touch", "+presence", origin, 0x04, false},
		{"another relying party", "+presence", "pam://other", 0x01, false},
		{"configured relying party", "+presence", "factord", 0x01, false},
		{"finger", "+presence+verification", origin, 0x05, true},
		{"no finger", "+presence+verification", origin, 0x01, false},
		{"PIN", "+presence+pin", origin, 0x05, true},
		{"no PIN", "+presence+pin", origin, 0x01, false},
		{"touch, whatever the file says", "", origin, 0x00, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, f := newDesk(t), newForger(t)
			if _, err := d.load("", f.line(t, test.options)); err != nil {
				t.Fatal(err)
			}
			d.jobs.none = true
			d.jobs.change(func(q *agent.AssertRequest, r *agent.AssertReply) { *r = f.sign(t, test.rpID, test.flags, 1, q) })
			want, text, answers := "deny denied", "the security key's answer is not right", []string{}
			if strings.Contains(test.options, "pin") {
				answers = []string{"", pin}
			}
			if test.ok {
				want, text = "allow fido2", ""
			}
			d.expect(want, text, answers...)
			d.expect("deny denied", "the security key's answer is not right", answers...) // the counter
		})
	}
}

// load imports a file, of one user or of all that it names.
func (d *desk) load(arguments, file string) (string, error) {
	d.t.Helper()
	answers := []string{file, ""}
	if !strings.Contains(arguments, "user=") {
		answers = append(answers, "")
	}
	return d.call("IMPORT factor=fido2 "+arguments, answers...)
}

// A credential of U2F, of the time before pam_u2f knew FIDO2.
func TestU2F(t *testing.T) {
	for name, o := range map[string]fido.Options{"U2F alone": {NoCTAP2: true}, "both": {}, "FIDO2 alone": {NoU2F: true}} {
		t.Run(name, func(t *testing.T) {
			d, k := newDesk(t), fido.New(o)
			handle, point := k.RegisterU2F("pam://" + host)
			d.plug("1-1", k)
			line := fmt.Sprintf("alice:%s,%s\n", base64.RawURLEncoding.EncodeToString(handle), hex.EncodeToString(point))
			if out, err := d.load("", line); err != nil || !strings.Contains(out, `"protocol":"U2F"`) {
				t.Fatalf("%s, %v", out, err)
			}
			d.expect("allow fido2", "")
			d.pull("1-1")
			foreign := fido.New(o)
			foreign.RegisterU2F("pam://" + host)
			d.plug("1-1", foreign)
			l := d.begin()
			l.await("Plug in security key fido2-1, then touch it")
			d.plug("1-2", k)
			d.check(l.end(), "allow fido2", "")
		})
	}
}
