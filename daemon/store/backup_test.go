package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBackupIsTheSealedDatabase(t *testing.T) {
	s, c := peopled(t, nil)
	before := dump(t, s)
	path, found := backup(t, s, c)
	if found.Users != 2 || found.Records != 3 || found.LastEvent != tailSize+3 || found.Chain != nil || len(found.Damaged) != 0 || found.Highest.IsZero() {
		t.Errorf("found %+v", found)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	data := readFile(t, path)
	if bytes.Contains(data, c.Key[:]) || bytes.Contains(data, bytes.TrimSpace(readFile(t, filepath.Join(c.Dir, KeyFile)))) {
		t.Error("the key is in the backup")
	}
	if len(entries(t, filepath.Dir(path))) != 1 {
		t.Errorf("left: %v", entries(t, filepath.Dir(path)))
	}
	copied, err := openFile(path, c)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if dump(t, copied) != before {
		t.Errorf("the backup has\n%swant\n%s", dump(t, copied), before)
	}
}

func TestBackupTellsOfDamage(t *testing.T) {
	s, c := peopled(t, nil)
	spoilRecord(t, s, bucketRecords, recordKey("alice", "totp", "totp-1"))
	spoilRecord(t, s, bucketAudit, seqKey(2))
	_, found := backup(t, s, c)
	if len(found.Damaged) != 1 || found.Damaged[0] != `records "alice/totp/totp-1"` {
		t.Errorf("damaged: %q", found.Damaged)
	}
	if found.Chain == nil || !strings.Contains(found.Chain.Error(), "record 2") {
		t.Errorf("chain: %v", found.Chain)
	}
}

func TestBackupRefuses(t *testing.T) {
	s, c := peopled(t, nil)
	if _, _, err := Backup(c, io.Discard); !errors.Is(err, ErrInUse) {
		t.Errorf("in use: %v", err)
	}
	s.Close()
	other := c
	other.Key[0] ^= 1
	if _, _, err := Backup(other, io.Discard); !errors.Is(err, ErrSealKey) {
		t.Errorf("another key: %v", err)
	}
	os.Truncate(filepath.Join(c.Dir, DatabaseFile), 9000)
	if _, _, err := Backup(c, io.Discard); !errors.Is(err, errDamaged) {
		t.Errorf("cut short: %v", err)
	}
	os.Remove(filepath.Join(c.Dir, DatabaseFile))
	if _, _, err := Backup(c, io.Discard); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

func TestWriteNewReplacesNothingAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	broken := errors.New("disk full")
	if err := WriteNew(path, func(w io.Writer) error { w.Write([]byte("half")); return broken }); !errors.Is(err, broken) || len(entries(t, dir)) != 0 {
		t.Errorf("%v, left %v", err, entries(t, dir))
	}
	// Somebody makes the file meanwhile.
	err := WriteNew(path, func(io.Writer) error { return os.WriteFile(path, []byte("theirs"), 0o600) })
	if !errors.Is(err, ErrFileExists) || string(readFile(t, path)) != "theirs" || len(entries(t, dir)) != 1 {
		t.Errorf("%v, left %v", err, entries(t, dir))
	}
	called := false
	if err := WriteNew(path, func(io.Writer) error { called = true; return nil }); !errors.Is(err, ErrFileExists) || called {
		t.Errorf("a file that is there: %v", err)
	}
}

// Who waits for a database that is replaced meanwhile gets the new one.
func TestOpenNoticesThatItsFileWasReplaced(t *testing.T) {
	s, c := peopled(t, nil)
	s.Close()
	path := filepath.Join(c.Dir, DatabaseFile)
	other, c2 := newStore(t, nil)
	other.Close()
	reader, err := openReader(path, nil) // lets a walk pass, and no writer
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error)
	go func() {
		db, err := openBolt(path)
		if err == nil {
			if opensDatabase(db, c.Key) {
				err = errors.New("the file that was moved away is served")
			}
			db.Close()
		}
		waiting <- err
	}()
	for !openForWriting(t, path) {
		time.Sleep(time.Millisecond)
	}
	if err := os.Rename(filepath.Join(c2.Dir, DatabaseFile), path); err != nil {
		t.Fatal(err)
	}
	reader.Close()
	if err := <-waiting; err != nil {
		t.Error(err)
	}
}

// openForWriting reports whether this process has a file open for writing.
func openForWriting(t testing.TB, path string) bool {
	t.Helper()
	for _, fd := range entries(t, "/proc/self/fd") {
		if target, err := os.Readlink("/proc/self/fd/" + fd); err != nil || target != path {
			continue
		}
		if info, _ := os.ReadFile("/proc/self/fdinfo/" + fd); strings.Contains(string(info), "02\nmnt_id") { // O_RDWR
			return true
		}
	}
	return false
}
