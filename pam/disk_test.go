package pam_test

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// smallDisk is a tmpfs of some pages.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	factordtest.NeedRoot(t)
	dir := t.TempDir()
	if err := syscall.Mount("factordtest", dir, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
	return dir
}

// fill leaves no byte free in dir, and returns the file that takes it.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := bytes.Repeat([]byte{1}, 4096)
	for err == nil {
		_, err = f.Write(page)
	}
	return path
}

// On a full disk nothing can be kept, and so nobody be let in. Pages of the file
// that are free take a few logins more; each of them is kept as ever.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "size=512k,mode=0700")
	state := filepath.Join(disk, "state")
	l := newLab(t, factordtest.ProcessOptions{State: state})
	ballast := fill(t, disk)
	var spent []string
	refused := ""
	for len(l.codes) > 4 && refused == "" {
		for range 3 {
			l.Login(-1, l.auth("sudo"), "000")
		}
		code := l.code()
		switch v := l.Login(-1, l.auth("sudo"), code); {
		case v.Allow:
			spent = append(spent, code)
		case v.Reason == wire.ReasonInternal, v.Reason == wire.ReasonUnavailable:
			refused = code
		default:
			t.Fatalf("refused, but not for want of space: %+v", v)
		}
	}
	if refused == "" {
		t.Fatal("the disk never got full")
	}
	t.Logf("%d logins until the disk was full", len(spent))
	for range 3 {
		if v := l.Login(-1, l.auth("sudo"), refused); v.Allow {
			t.Errorf("on a full disk: %+v", v)
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if v := l.Login(-1, l.auth("sudo"), refused); !v.Allow {
		t.Errorf("the code that was not spent, with space: %+v", v)
	}
	spent = append(spent, refused)
	l.Kill9()
	l.Start()
	for _, code := range spent {
		if v := l.Login(-1, l.auth("sudo"), code); v.Allow {
			t.Errorf("a code twice: %+v", v)
		}
	}
	l.MustCall("UNLOCK user=" + l.who.Name)
	if v := l.Login(-1, l.auth("sudo"), l.code()); !v.Allow {
		t.Errorf("after a restart: %+v", v)
	}
	l.audit()
}
