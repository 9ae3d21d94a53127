package audit

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/factord/factord/daemon/store"
)

func line(text string) store.Record { return store.Record{Text: []byte(text)} }

// putLine writes one line, without patience.
func putLine(f *file, text string) error { return f.put(line(text), time.Time{}) }

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFileFollowsItsName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f := &file{path: path}
	defer f.close()
	write := func(text string) {
		t.Helper()
		if err := putLine(f, text); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	write("two")
	os.Rename(path, path+".1")
	write("three")
	os.Remove(path)
	write("four")
	os.Rename(path, path+".2")
	os.WriteFile(path, []byte("made by logrotate\n"), 0o640)
	write("five")
	for name, want := range map[string]string{".1": "one\ntwo\n", ".2": "four\n", "": "made by logrotate\nfive\n"} {
		if got := content(t, path+name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Who finds half a line at the end, of a factord that was killed, say, begins a
// line of their own.
func TestFileThatIsTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	os.WriteFile(path, []byte("whole\nhal"), 0o600)
	f := &file{path: path}
	defer f.close()
	for _, text := range []string{"next", "last"} {
		if err := putLine(f, text); err != nil {
			t.Fatal(err)
		}
	}
	if got := content(t, path); got != "whole\nhal\nnext\nlast\n" {
		t.Errorf("%q", got)
	}
}

// A disk that is full takes half a line: it is taken back, and when there is room
// again lines are whole.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it mounts a small disk")
	}
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=8k,mode=700"); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	ballast := filepath.Join(dir, "ballast")
	os.WriteFile(ballast, make([]byte, 4096), 0o600)
	path := filepath.Join(dir, "audit.jsonl")
	f := &file{path: path}
	defer f.close()
	long := strings.Repeat("x", 3000)
	if err := putLine(f, long); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := putLine(f, long); err == nil {
			t.Fatal("there is no room for it")
		}
	}
	if got := content(t, path); got != long+"\n" {
		t.Errorf("%d bytes", len(got))
	}
	if err := putLine(f, "short"); err != nil { // fits
		t.Fatal(err)
	}
	os.Remove(ballast)
	if err := putLine(f, long); err != nil {
		t.Fatal(err)
	}
	if got := content(t, path); got != long+"\nshort\n"+long+"\n" {
		t.Errorf("%d bytes", len(got))
	}
}

func TestBadFiles(t *testing.T) {
	for name, test := range map[string]struct {
		make func(path string)
		want string
	}{
		"a symbolic link": {func(path string) { os.WriteFile(path+".real", nil, 0o600); os.Symlink(path+".real", path) }, "symbolic link"},
		"a folder":        {func(path string) { os.Mkdir(path, 0o700) }, "is a directory"},
		"a FIFO":          {func(path string) { syscall.Mkfifo(path, 0o600) }, "regular file"},
		"a socket":        {func(path string) { net.Listen("unix", path) }, "hint: "},
		"for a group":     {func(path string) { os.WriteFile(path, nil, 0o600); os.Chmod(path, 0o660) }, "mode is -rw-rw----"},
		"for all":         {func(path string) { os.WriteFile(path, nil, 0o600); os.Chmod(path, 0o606) }, "mode is -rw----rw-"},
		"another's":       {func(path string) { os.WriteFile(path, nil, 0o600); os.Chown(path, 65534, 65534) }, "owner is uid 65534"},
		"nowhere":         {func(path string) { os.Remove(filepath.Dir(path)) }, "hint: the folder must be there"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "another's" && os.Geteuid() != 0 {
				t.Skip("needs root: it gives a file away")
			}
			path := filepath.Join(t.TempDir(), "d", "f")
			os.Mkdir(filepath.Dir(path), 0o700)
			test.make(path)
			f := &file{path: path}
			defer f.close()
			if err := putLine(f, "x"); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			c := &Copies{}
			if err := c.Try(Settings{File: path}); err == nil {
				t.Error("tried in vain")
			}
		})
	}
}

// Factord's own folder has no copies, by whatever way they would get there: a line
// more in the seal key, and the database opens no more.
func TestFileInTheState(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	os.MkdirAll(filepath.Join(state, "below"), 0o700)
	os.Symlink("state", filepath.Join(dir, "link"))
	os.Symlink("state/below", filepath.Join(dir, "deep"))
	key := filepath.Join(state, "seal.key")
	os.WriteFile(key, []byte("key"), 0o600)
	for _, path := range []string{key, state + "/new", state + "/below/new", dir + "/link/seal.key", dir + "/deep/new"} {
		f := &file{path: path, state: state}
		if err := putLine(f, "x"); err == nil || !strings.Contains(err.Error(), "factord's own state\nhint: ") {
			t.Errorf("%s: %v", path, err)
		}
		c := &Copies{state: state}
		if err := c.Try(Settings{File: path}); err == nil {
			t.Errorf("%s: tried in vain", path)
		}
	}
	if left, _ := os.ReadDir(state); len(left) != 2 || content(t, key) != "key" {
		t.Errorf("%v", left)
	}
	if err := putLine(&file{path: dir + "/state.jsonl", state: state}, "x"); err != nil {
		t.Error(err)
	}
}

// A file that becomes writable for others while it is open takes nothing more.
func TestFileThatIsOpenedUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	f := &file{path: path}
	defer f.close()
	putLine(f, "one")
	os.Chmod(path, 0o602)
	if err := putLine(f, "two"); err == nil {
		t.Error("written to a file that others can write")
	}
	os.Chmod(path, 0o640)
	if err := putLine(f, "three"); err != nil || content(t, path) != "one\nthree\n" {
		t.Errorf("%q, %v", content(t, path), err)
	}
}
