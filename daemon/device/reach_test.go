package device

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the status says: how factord-usb is reached, as things are now.
func TestReach(t *testing.T) {
	dir := t.TempDir()
	socket, program, file := filepath.Join(dir, "usb.sock"), filepath.Join(dir, "factord-usb"), filepath.Join(dir, "file")
	expect := func(c Config, how, why string) {
		t.Helper()
		got, err := New(c).Reach()
		if got != how || (err == nil) != (why == "") || err != nil && !strings.Contains(err.Error(), why) {
			t.Errorf("%+v: %q, %v; want %q, %q", c, got, err, how, why)
		}
	}
	expect(Config{}, "", "make install")
	expect(Config{Socket: DefaultSocket + ".not"}, "", "--usb-socket")
	expect(Config{Socket: socket, Program: program}, "", "lies beside factord")
	if err := os.WriteFile(program, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	expect(Config{Socket: socket, Program: program}, program, "")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	expect(Config{Socket: socket, Program: program}, socket, "")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect(Config{Socket: file}, "", "is no socket")
}
