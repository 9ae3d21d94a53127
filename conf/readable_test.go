package conf

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// Root reads everything, and factord only what it is let.
func TestUnreadable(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can try with another's rights")
	}
	if _, err := exec.LookPath("test"); err != nil {
		t.Skip(err)
	}
	file := write(t, "", 0o640)
	inner := filepath.Dir(file)
	if why := Unreadable(file, "nobody"); !strings.Contains(why, "nobody can't look into "+inner) {
		t.Errorf("in a folder of root's: %q", why)
	}
	if err := os.Chmod(filepath.Dir(inner), 0o755); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[fs.FileMode]string{
		0o600: "nobody can't read this file\nhint: chgrp factord " + file + " && chmod 640 " + file,
		0o640: "nobody can't read this file",
		0o644: "",
	} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if why := Unreadable(file, "nobody"); want == "" && why != "" || !strings.Contains(why, want) {
			t.Errorf("mode %04o: %q", mode, why)
		}
	}
	if why := Unreadable(write(t, "", 0o600), "no-such-account"); why != "" {
		t.Errorf("no account: %q", why)
	}
}

// Who is told may be factord, of whom nobody can say "run this as root".
func TestDenied(t *testing.T) {
	err := openError(&fs.PathError{Op: "open", Path: "/etc/factord/factord.toml", Err: fs.ErrPermission})
	if err == nil || !strings.Contains(err.Error(), "chgrp factord /etc/factord/factord.toml && chmod 640 /etc/factord/factord.toml") {
		t.Error(err)
	}
}

// In a folder that factord can't look into, another group of the file is no help.
func TestDeniedFolder(t *testing.T) {
	const id = 65534
	if os.Geteuid() != 0 {
		t.Skip("only root can try with another's rights")
	}
	file := write(t, "", 0o600)
	for dir := filepath.Dir(file); dir != "/"; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o001 == 0 && os.Chmod(dir, 0o755) != nil {
			t.Fatal(dir)
		}
	}
	for mode, want := range map[fs.FileMode]string{0o700: "\nhint: factord's place for it is /etc/factord, of mode 0755", 0o755: "\nhint: root may read it, and factord by its group: chgrp factord "} {
		if err := os.Chmod(filepath.Dir(file), mode); err != nil {
			t.Fatal(err)
		}
		as(t, id, func() {
			if _, err := Load(file, builtIn); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("in a folder of mode %04o: %v", mode, err)
			}
		})
	}
}

// as runs f with the rights of another user, of this thread alone.
func as(t *testing.T, id int, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // which ends with the goroutine
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
			t.Error(errno)
			return
		}
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(id), ^uintptr(0)); errno != 0 {
			t.Error(errno)
			return
		}
		f()
	}()
	<-done
}
