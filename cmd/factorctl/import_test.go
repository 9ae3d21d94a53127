package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Who imports sees which key became which, by what is written on it.
func TestImportSaysWhichKey(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys.csv")
	if err := os.WriteFile(keys, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := serve(t, reply(`D {"imported":[{"user":"u","id":"yubico-1","name":"blue","detail":{"public-id":"cbcb","serial":"4711"}},`+
		`{"user":"v","id":"x-1","name":"x-1"}],"left":1}%0A`, "OK"))
	path2 := serve(t, reply(`D {"imported":[{"user":"u","id":"fido2-1","name":"blue","already":true},{"user":"v","id":"fido2-2","name":"fido2-2","note":"this key is also that of u"}],"left":0,"note":"assumed"}%0A`, "OK"))
	run(t, "", "import", keys, "--user", "u", "--socket", path2).want(t, 0,
		"u fido2-1 \"blue\"  (enrolled already)\nv fido2-2\n  note: this key is also that of u\n1 imported, 1 were enrolled already\nnote: assumed\n", "")
	run(t, "", "import", keys, "--user", "u", "--socket", path).want(t, 0,
		"u yubico-1 \"blue\"  public-id cbcb, serial 4711\nv x-1\n2 imported, 1 of the file belong to nobody\n", "")
}

// Who may not import is not told to change the modes of files.
func TestImportNotPermitted(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to be somebody else")
	}
	dir := t.TempDir()
	program, err := os.ReadFile(filepath.Join(bin, "factorctl"))
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "factorctl")
	if err := os.WriteFile(copied, program, 0o755); err != nil {
		t.Fatal(err)
	}
	open := func(path string, mode os.FileMode) { // to others
		os.Chmod(path, mode)
		os.Chmod(filepath.Dir(path), 0o755)
		os.Chmod(filepath.Dir(filepath.Dir(path)), 0o755)
	}
	open(copied, 0o755)
	for name, c := range map[string]struct{ answer, want string }{
		"not permitted": {"ERR 111 only root may import", "factorctl: only root may import\nhint: run it as root\n"},
		"permitted":     {"INQUIRE SEED File: ", "mode 0644 lets others read it"},
	} {
		t.Run(name, func(t *testing.T) {
			path := serve(t, func(f *fake) {
				f.put(greeting)
				f.expect("IMPORT factor=yubico user=u")
				f.put(c.answer)
				if c.answer[0] == 'I' {
					f.expect("CAN")
					f.put("ERR 108 cancelled")
				}
			})
			open(path, 0o777)
			cmd := command("import", "/etc/passwd", "--user", "u", "--socket", path)
			cmd.Path, cmd.SysProcAttr.Credential = copied, &syscall.Credential{Uid: 65534, Gid: 65534}
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.want) || c.answer[0] == 'E' && strings.Contains(string(out), "chmod") {
				t.Errorf("%q, %v, want %q", out, err, c.want)
			}
		})
	}
}

// What a file is shows its form, and only one with secrets has to be hidden.
func TestImportKnowsFiles(t *testing.T) {
	const mapping, ssh = "u:aGFuZGxl,cHVibGlj,es256,+presence\n", "-----BEGIN OPENSSH PRIVATE KEY-----\n"
	for name, c := range map[string]struct {
		text    string
		mode    os.FileMode
		args    string // beside the file
		command string // what factord hears; "": nothing
		want    string // of the error
	}{
		"a mapping":          {mapping, 0o644, "", "IMPORT factor=fido2", ""},
		"a mapping of one":   {"# all\n" + mapping, 0o640, "--user u", "IMPORT factor=fido2 user=u", ""},
		"others can write":   {mapping, 0o666, "", "", "mode 0666 lets others change it"},
		"OpenSSH":            {ssh, 0o600, "--user u", "IMPORT factor=fido2 user=u", ""},
		"OpenSSH's public":   {"sk-ecdsa-sha2-nistp256@openssh.com AAAA x\n", 0o644, "--user u", "", "is the public half of a key file"},
		"ykpamcfg":           {"v2:00:11:22:33:44\n", 0o600, "--user u", "", "hint: factorctl enroll hmac"},
		"secrets":            {"1,cbcb,010203040506,00112233445566778899aabbccddeeff,,,\n", 0o600, "--user u", "IMPORT factor=yubico user=u", ""},
		"secrets, open":      {"1,cbcb,010203040506,00112233445566778899aabbccddeeff,,,\n", 0o644, "--user u", "", "lets others read it"},
		"secrets, nobody's":  {"1,cbcb,010203040506,00112233445566778899aabbccddeeff,,,\n", 0o600, "", "", "one of --users and --user"},
		"named, nobody's":    {mapping, 0o600, "--factor yubico", "", "one of --users and --user"},
		"named otherwise":    {"anything\n", 0o600, "--factor fido2", "IMPORT factor=fido2", ""},
		"named, and secrets": {mapping, 0o644, "--factor yubico --user u", "", "lets others read it"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "keys.pub")
			if err := os.WriteFile(file, []byte(c.text), c.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, c.mode); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "none.sock")
			if c.command != "" {
				path = serve(t, func(f *fake) {
					f.put(greeting)
					f.expect(c.command)
					f.put("ERR 101 heard")
				})
				c.want = "heard"
			}
			out, err := command(append(strings.Fields(c.args), "import", file, "--socket", path)...).CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.want) {
				t.Errorf("%q, %v, want %q", out, err, c.want)
			}
		})
	}
}
