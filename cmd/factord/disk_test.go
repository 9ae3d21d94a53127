package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
)

// On a full disk each command says so, changes nothing and leaves nothing behind;
// with space it works.
func TestFullDisk(t *testing.T) {
	from, backup := template(t)
	disk := t.TempDir()
	if err := syscall.Mount("factordtest", disk, "tmpfs", 0, "size=256k,mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	state, ballast := filepath.Join(disk, "state"), filepath.Join(disk, "ballast")
	if out, err := exec.Command("cp", "-a", from, state).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	fill(t, ballast)
	before := listing(t, disk)
	commands := [][]string{{"--backup", filepath.Join(disk, "copy")}, {"--restore", backup}, {"--rekey"}}
	factord := func(args []string) (string, error) {
		out, err := exec.Command(filepath.Join(factordtest.Build(t), "factord"), append([]string{"--state", state}, args...)...).CombinedOutput()
		return string(out), err
	}
	for _, args := range commands {
		if out, err := factord(args); err == nil || !strings.Contains(out, "no space left") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
		if after := listing(t, disk); after != before {
			t.Errorf("%v left\n%swhere there was\n%s", args, after, before)
		}
		if value, last := holds(t, state); value != "new" || last != "enroll" {
			t.Errorf("%v: %q, %q", args, value, last)
		}
	}
	os.Remove(ballast)
	for _, args := range commands {
		if out, err := factord(args); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}

// fill leaves at most one page free.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(bytes.Repeat([]byte{1}, 4096))
	}
}

// listing is every file below a folder, with its inode.
func listing(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.Command("find", dir, "-printf", "%i %p\n").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
