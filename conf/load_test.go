package conf

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func write(t *testing.T, data string, mode fs.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "factord.toml")
	if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLoad(t *testing.T) {
	const rule = "[[rule]]\nfactors = ['totp']\n"
	huge := strings.Repeat("#\n", maxSize/2)
	tests := []struct {
		name, data string
		mode       fs.FileMode
		want       string // part of the error; "": none
	}{
		{"as packaged", rule, 0o640, ""},
		{"readable by all", rule, 0o644, ""},
		{"read-only", rule, 0o400, ""},
		{"empty", "", 0o640, ""},
		{"as large as may be", huge, 0o640, ""},
		{"too large", huge + "#", 0o640, "larger than 1048576 bytes"},
		{"group-writable", rule, 0o660, "mode 0660 lets others than its owner write it\nhint: chmod go-w "},
		{"world-writable", rule, 0o642, "mode 0642 lets others than its owner write it"},
		{"wrong", "x = 1", 0o640, "factord.toml:1: x: unknown key"},
	}
	for _, tt := range tests {
		c, err := Load(write(t, tt.data, tt.mode), builtIn)
		switch {
		case tt.want == "" && (err != nil || c == nil):
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || c != nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestLoadNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "missing"), builtIn); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "\nhint: ") {
		t.Errorf("missing: %v", err)
	}
	if _, err := Load(dir, builtIn); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("directory: %v", err)
	}
	if _, err := Load("/dev/null", builtIn); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("device: %v", err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(fifo, builtIn); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("fifo: %v", err)
	}
}

// The mode is that of the file behind a link.
func TestLoadLink(t *testing.T) {
	file := write(t, "", 0o666)
	link := file + ".link"
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(link, builtIn); err == nil || !strings.Contains(err.Error(), "mode 0666") {
		t.Error(err)
	}
}

func TestLoadOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	file := write(t, "", 0o600)
	if err := os.Chown(file, 12345, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file, builtIn); err == nil || !strings.Contains(err.Error(), "owned by uid 12345, not by root\n") {
		t.Error(err)
	}
}

func TestSampleIsACopy(t *testing.T) {
	clear(Sample())
	if !bytes.HasPrefix(Sample(), []byte("# factord.toml")) {
		t.Error("a caller can change the sample")
	}
}

// Who has no configuration is told where the sample is that came with the program.
func TestSampleHint(t *testing.T) {
	prefix := t.TempDir()
	program := filepath.Join(prefix, "sbin", "factord")
	if got := sampleHint(program); got != "a sample is share/doc/factord/factord.toml, below where factord was installed" {
		t.Error(got)
	}
	sample := filepath.Join(prefix, "share/doc/factord/factord.toml")
	if err := os.MkdirAll(filepath.Dir(sample), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(sample, Sample(), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := sampleHint(program); got != "a sample is "+sample {
		t.Error(got)
	}
}

// A configuration without rules lets nobody in, which is not "ok".
func TestSummary(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "no error, and nobody can log in",
		"[[rule]]\nfactors = ['totp']\n": "ok, 1 rule",
		"[[rule]]\nservices=['su']\nfactors = ['totp']\n[[rule]]\nmode = 'exempt'\n": "ok, 2 rules",
	} {
		c, err := Parse("f", []byte(text), builtIn)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Summary(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
