package fido2_test

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/usb/virtual/fido"
)

// opensshKey has ssh-keygen make a key file with a security key.
func opensshKey(t *testing.T, k *fido.Key) string {
	t.Helper()
	tty, err := fido.OpenTTY(k)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	file := filepath.Join(t.TempDir(), "key")
	out, err := exec.CommandContext(t.Context(), factordtest.NeedProgram(t, "ssh-keygen"),
		"-q", "-t", "ecdsa-sk", "-N", "", "-C", "laptop", "-f", file, "-O", "device="+tty.Path()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestImportOpenSSH(t *testing.T) {
	d, k := newDesk(t), fido.New(fido.Options{})
	file := opensshKey(t, k)
	for arguments, want := range map[string]string{
		"": "hint: --user USER", "user=alice origin=pam://desk": "leave out --origin", "user=nobody-here": "no such user",
	} {
		if _, err := d.load(arguments, file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", arguments, err)
		}
	}
	if out, err := d.load("user=alice", file); err != nil || !strings.Contains(out, `"rp-id":"ssh:"`) || !strings.Contains(out, `"name":"laptop"`) {
		t.Fatalf("%s, %v", out, err)
	}
	d.plug("1-1", k)
	d.expect("allow fido2", "")
	if out, err := d.load("user=alice", file); err != nil || !strings.Contains(out, `"id":"fido2-1","name":"laptop","already":true`) || strings.Contains(out, `"note"`) {
		t.Errorf("twice: %s, %v", out, err)
	}
	if out, err := d.load("user=bob", file); err != nil || !strings.Contains(out, `"note":"this key is also that of alice"`) {
		t.Errorf("another's: %s, %v", out, err)
	}
}

func TestImportPAMU2F(t *testing.T) {
	d, f := newDesk(t), newForger(t)
	mine := f.line(t, "+presence")
	bobs := strings.Replace(mine, "alice:"+base64.StdEncoding.EncodeToString(f.id), "bob:b3RoZXI=", 1)
	for name, test := range map[string]struct{ arguments, file, want string }{
		"nobody":        {"user=carol", mine, "no key of that user"},
		"unknown user":  {"", strings.Replace(mine, "alice", "nobody-here", 1), `line 1 of the file: no such user: "nobody-here"`},
		"same twice":    {"", strings.TrimSpace(mine) + ":" + strings.TrimPrefix(mine, "alice:"), "enrolled already"},
		"in the key":    {"", strings.Replace(mine, base64.StdEncoding.EncodeToString(f.id), "*", 1), "enrol that key anew"},
		"two demands":   {"", f.line(t, "+pin+verification"), "of which factord takes one"},
		"strange":       {"", "keys,of,yubico\n", "line 1"},
		"bad origin":    {"origin=a%20b", mine, "--origin ORIGIN"},
		"wrong factor?": {"", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "--user"},
	} {
		if out, err := d.load(test.arguments, test.file); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %s, %v; want %q", name, out, err, test.want)
		}
	}
	if list := d.MustCall("LIST user=alice"); strings.Contains(list, "fido2-") {
		t.Errorf("a part was kept: %s", list)
	}
	out, err := d.load("origin=corp.example", mine+bobs)
	if err != nil || strings.Count(out, `"rp-id":"corp.example"`) != 2 || !strings.Contains(out, `"user":"bob"`) {
		t.Errorf("%s, %v", out, err)
	}
	d = newDesk(t)
	if out, err := d.load("user=bob", mine+bobs); err != nil || strings.Contains(out, "alice") || !strings.Contains(out, `"rp-id":"pam://desk"`) || !strings.Contains(out, `"note":"assumed pam_u2f's own origin, pam://desk`) {
		t.Errorf("of one user: %s, %v", out, err)
	}
	out, err = d.load("", mine+bobs) // bob's is skipped, alice's is new
	if err != nil || strings.Count(out, `"already":true`) != 1 || strings.Count(d.MustCall("AUDIT kind=import"), `"kind":"import"`) != 2 {
		t.Errorf("the same file again: %s, %v", out, err)
	}
}
