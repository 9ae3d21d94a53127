package fido_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/usb/virtual/fido"
)

// The judges of the software key are programs that others wrote: libfido2's tools and
// OpenSSH.

// toolLimit is far more than a program needs.
const toolLimit = 60 * time.Second

// plug returns the path of a device that a key is plugged into.
func plug(t *testing.T, o fido.Options) (*fido.Key, string) {
	t.Helper()
	k := fido.New(o)
	tty, err := fido.OpenTTY(k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tty.Close)
	return k, tty.Path()
}

// detached runs a program in a session that has no terminal, so that it asks for a PIN
// on its standard input. It must not be the session's leader itself: the device that
// it opens would become its terminal.
const detached = `"$@"; exit $?`

// run starts a program and returns what it says.
func run(t *testing.T, input, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), toolLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", detached, "sh", factordtest.NeedProgram(t, name)}, args...)...)
	cmd.WaitDelay = time.Second
	cmd.Stdin = strings.NewReader(input)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Logf("%s %q: %v: %s", name, args, err, errs.String())
	}
	return string(out), err
}

func must(t *testing.T, input, name string, args ...string) string {
	t.Helper()
	out, err := run(t, input, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func file(t *testing.T, lines ...string) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(f, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// Nothing of these depends on what is hashed.
var (
	clientDataHash = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	userID         = base64.StdEncoding.EncodeToString([]byte("alice's number"))
)

const rpID = "pam://host.example"

func TestInfo(t *testing.T) {
	_, device := plug(t, fido.Options{Verify: fido.After(0)})
	out := must(t, "", "fido2-token", "-I", device)
	for _, want := range []string{"U2F_V2, FIDO_2_0, FIDO_2_1", "caps: 0x05", "es256", "eddsa", " uv,", "noclientPin", "pin protocols: 2, 1", "pin retries: 8"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// credential makes one with fido2-cred and lets it verify the attestation. It returns
// the credential's id and the file with its public key.
func credential(t *testing.T, device, pin, alg, flags string) (id, key string) {
	t.Helper()
	in := file(t, clientDataHash, rpID, "alice", userID)
	args := []string{"-M", "-i", in}
	verify := []string{"-V"}
	for _, flag := range strings.Fields(flags) {
		args = append(args, flag)
		if flag != "-r" && flag != "-u" {
			verify = append(verify, flag)
		}
	}
	made := must(t, pin, "fido2-cred", append(args, device, alg)...)
	out := must(t, "", "fido2-cred", append(verify, "-i", file(t, strings.TrimSpace(made)), alg)...)
	id, pem, found := strings.Cut(out, "\n")
	if !found {
		t.Fatalf("fido2-cred -V says %q", out)
	}
	return id, file(t, pem)
}

// assert lets fido2-assert ask for an assertion and verify it.
func assert(t *testing.T, device, pin, alg, id, key, flags string) error {
	t.Helper()
	lines := []string{clientDataHash, rpID, id}
	args, verify := []string{"-G"}, []string{"-V"}
	for _, flag := range strings.Fields(flags) {
		switch args = append(args, flag); flag {
		case "-v", "-p":
			verify = append(verify, flag)
		case "uv=true":
			verify = append(verify, "-v")
		case "-r":
			lines = lines[:2]
		}
	}
	got, err := run(t, pin, "fido2-assert", append(args, "-i", file(t, lines...), device)...)
	if err != nil {
		return err
	}
	_, err = run(t, "", "fido2-assert", append(verify, "-i", file(t, strings.TrimSpace(got)), key, alg)...)
	return err
}

func TestMakeAndAssert(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, alg, made, asked string
		options                fido.Options
	}{
		{"ES256", "es256", "", "-p", fido.Options{}},
		{"EdDSA", "eddsa", "", "-p", fido.Options{}},
		{"resident", "es256", "-r", "-p -r", fido.Options{}},
		{"resident EdDSA", "eddsa", "-r", "-p -r", fido.Options{}},
		{"basic attestation", "es256", "", "-p", fido.Options{Attestation: fido.BasicAttestation}},
		{"CTAP 2.0", "es256", "", "-p", fido.Options{Old: true}},
		{"U2F alone", "es256", "", "-p -u", fido.Options{NoCTAP2: true}},
		{"U2F by choice", "es256", "-u", "-p", fido.Options{}},
		{"fingerprint", "es256", "-v", "-p -t uv=true", fido.Options{Verify: fido.After(0)}},
		{"protected", "es256", "-v -r -c 3", "-p -r -t uv=true", fido.Options{Verify: fido.After(0)}},
		{"fingerprint, CTAP 2.0", "es256", "-v", "-p -t uv=true", fido.Options{Verify: fido.After(0), Old: true}},
		{"late touch", "es256", "", "-p", fido.Options{Touch: fido.After(300 * time.Millisecond)}},
		{"omitted credential", "es256", "", "-p", fido.Options{OmitCredential: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			k, device := plug(t, test.options)
			id, key := credential(t, device, "", test.alg, test.made)
			if err := assert(t, device, "", test.alg, id, key, test.asked); err != nil {
				t.Error("the assertion is refused")
			}
			k.Change(func(o *fido.Options) { o.Touch, o.NoU2F = fido.Deny, true })
			if assert(t, device, "", test.alg, id, key, test.asked) == nil {
				t.Error("an assertion that the person refused is accepted")
			}
		})
	}
}

func TestPIN(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		options fido.Options
	}{
		{"protocol 2", fido.Options{}},
		{"protocol 1", fido.Options{Protocols: []uint{1}}},
		{"CTAP 2.0", fido.Options{Old: true, Protocols: []uint{1}}},
		{"always", fido.Options{AlwaysUV: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, device := plug(t, test.options)
			must(t, "1234\n1234\n", "fido2-token", "-S", device)
			must(t, "1234\n97531\n97531\n", "fido2-token", "-C", device)
			id, key := credential(t, device, "97531\n", "es256", "-v")
			if err := assert(t, device, "97531\n", "es256", id, key, "-p -v"); err != nil {
				t.Error("the assertion is refused")
			}
			if assert(t, device, "1234\n", "es256", id, key, "-p -v") == nil {
				t.Error("the old PIN is accepted")
			}
			if out := must(t, "", "fido2-token", "-I", device); !strings.Contains(out, "pin retries: 7") {
				t.Errorf("after a wrong PIN:\n%s", out)
			}
		})
	}
}

func TestSSHKeygen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind, option string
		options      fido.Options
	}{
		{"ecdsa-sk", "no-touch-required", fido.Options{}},
		{"ecdsa-sk", "resident", fido.Options{PIN: "1234"}},
		{"ed25519-sk", "application=ssh:test", fido.Options{}},
		{"ed25519-sk", "verify-required", fido.Options{PIN: "1234"}},
		{"ecdsa-sk", "application=ssh:u2f", fido.Options{NoCTAP2: true}},
	} {
		t.Run(test.kind+" "+test.option, func(t *testing.T) {
			t.Parallel()
			_, device := plug(t, test.options)
			f := filepath.Join(t.TempDir(), "key")
			must(t, "1234\n", "ssh-keygen", "-q", "-t", test.kind, "-N", "", "-f", f, "-O", "device="+device, "-O", test.option)
			pub, err := os.ReadFile(f + ".pub")
			if err != nil || !strings.HasPrefix(string(pub), "sk-") {
				t.Errorf("%q, %v", pub, err)
			}
		})
	}
}
