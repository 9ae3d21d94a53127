package store

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"
)

func TestOpenRefuses(t *testing.T) {
	damage := func(f func(tx *bolt.Tx) error) func(*testing.T, *Config) {
		return func(t *testing.T, c *Config) {
			db, err := bolt.Open(filepath.Join(c.Dir, DatabaseFile), 0o600, nil)
			if err == nil {
				err = errors.Join(db.Update(f), db.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	path := func(c *Config) string { return filepath.Join(c.Dir, DatabaseFile) }
	for name, tc := range map[string]struct {
		spoil func(*testing.T, *Config)
		want  string
	}{
		"another key":         {func(_ *testing.T, c *Config) { c.Key[0] ^= 1 }, "seal key does not open"},
		"missing":             {func(_ *testing.T, c *Config) { os.Remove(path(c)) }, "factord --init"},
		"empty file":          {func(_ *testing.T, c *Config) { os.Truncate(path(c), 0) }, ""},
		"cut":                 {func(_ *testing.T, c *Config) { os.Truncate(path(c), 5000) }, ""},
		"garbage":             {func(_ *testing.T, c *Config) { os.WriteFile(path(c), []byte(strings.Repeat("x", 1<<16)), 0o600) }, ""},
		"readable":            {func(_ *testing.T, c *Config) { os.Chmod(path(c), 0o644) }, "chmod 600"},
		"folder others write": {func(_ *testing.T, c *Config) { os.Chmod(c.Dir, 0o777) }, "chmod 700"},
		"a directory":         {func(_ *testing.T, c *Config) { os.Remove(path(c)); os.Mkdir(path(c), 0o700) }, "regular file"},
		"a link":              {func(_ *testing.T, c *Config) { os.Rename(path(c), path(c)+"x"); os.Symlink(path(c)+"x", path(c)) }, "regular file"},
		"a newer schema":      {damage(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keySchema, []byte("3")) }), "another schema"},
		"no schema":           {damage(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Delete(keySchema) }), "another schema"},
		"a bucket is gone":    {damage(func(tx *bolt.Tx) error { return tx.DeleteBucket(bucketBudgets) }), "another schema"},
		"a changed state":     {damage(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyState, []byte("x")) }), "unseal"},
		"the state is gone":   {damage(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Delete(keyState) }), "unseal"},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := newStore(t, nil)
			s.Close()
			tc.spoil(t, &c)
			s, err := Open(c)
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// Root that starts factord by hand is told as whom to, and not to give the state to
// somebody else.
func TestStateOfAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	s, c := newStore(t, nil)
	s.Close()
	if err := os.Chown(c.Dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	_, err := Open(c)
	if err == nil || !strings.Contains(err.Error(), "belongs to uid 65534, and this is uid 0\nhint: start it as the owner: runuser -u nobody -- factord") || strings.Contains(err.Error(), "chown") {
		t.Error(err)
	}
}

// A database that root has put there, as one out of a backup, is told as that.
func TestDatabaseOfAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	const nobody = 65534
	s, c := newStore(t, nil)
	s.Close()
	if err := os.Chown(c.Dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(c.Dir); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	opened := make(chan error)
	go func() {
		runtime.LockOSThread() // which ends with this goroutine
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), nobody, ^uintptr(0)); errno != 0 {
			opened <- errno
			return
		}
		_, err := Open(c)
		opened <- err
	}()
	path := filepath.Join(c.Dir, DatabaseFile)
	if err := <-opened; err == nil || !strings.HasSuffix(err.Error(), "permission denied\nhint: chown nobody: "+path) {
		t.Error(err)
	}
}

func TestSecondDaemonIsRefused(t *testing.T) {
	_, c := newStore(t, nil)
	if _, err := Open(c); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v", err)
	}
}

func TestInitKeepsWhatIsThere(t *testing.T) {
	s, c := newStore(t, nil)
	mustUpdate(t, s, func(tx *Tx) error { return tx.PutUser("alice", User{UID: 1}) })
	s.Close()
	if err := Init(c.Dir, c.Key); !errors.Is(err, ErrExists) {
		t.Errorf("second init: %v", err)
	}
	if key, err := MakeKey(c.Dir); err != nil || key != c.Key {
		t.Errorf("the key was replaced: %v", err)
	}
	open(t, c).View(func(tx *Tx) error {
		if _, ok, err := tx.User("alice"); !ok {
			t.Errorf("alice is gone: %v", err)
		}
		return nil
	})
}
