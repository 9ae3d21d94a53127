package store

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// pages finds the pages of a kind that have at least n elements.
func pages(data []byte, kind uint16, n int) (at []int) {
	for p := 2 * 4096; p+4096 <= len(data); p += 4096 {
		if binary.NativeEndian.Uint16(data[p+8:]) == kind && int(binary.NativeEndian.Uint16(data[p+10:])) >= n {
			at = append(at, p)
		}
	}
	return at
}

// What bbolt would follow in circles, or out of the file, is found before bbolt
// does.
func TestDamagedPages(t *testing.T) {
	if os.Getpagesize() != 4096 {
		t.Skip("written for pages of 4096 bytes")
	}
	s, c := peopled(t, nil)
	appendEvents(t, s, 500) // enough for a branch
	path, _ := backup(t, s, c)
	good := readFile(t, path)
	branch := pages(good, branchPage, 2)[0]
	leaf := 0
	first := int(binary.NativeEndian.Uint64(good[branch+pageHeader+8:])) * 4096
	second := binary.NativeEndian.Uint64(good[branch+pageHeader+pageElement+8:])
	for _, p := range pages(good, leafPage, 2) {
		if p == first {
			leaf = p
		}
	}
	for name, spoil := range map[string]func(b []byte){
		"circle":           func(b []byte) { binary.NativeEndian.PutUint64(b[branch+pageHeader+8:], uint64(branch/4096)) },
		"page twice":       func(b []byte) { binary.NativeEndian.PutUint64(b[branch+pageHeader+8:], second) },
		"page outside":     func(b []byte) { binary.NativeEndian.PutUint64(b[branch+pageHeader+8:], 1<<40) },
		"meta page":        func(b []byte) { binary.NativeEndian.PutUint64(b[branch+pageHeader+8:], 1) },
		"another number":   func(b []byte) { b[leaf] ^= 1 },
		"no kind":          func(b []byte) { b[leaf+8] = 7 },
		"freelist":         func(b []byte) { b[leaf+8] = 0x10 },
		"empty branch":     func(b []byte) { binary.NativeEndian.PutUint16(b[branch+10:], 0) },
		"many elements":    func(b []byte) { binary.NativeEndian.PutUint16(b[leaf+10:], 60000) },
		"long overflow":    func(b []byte) { binary.NativeEndian.PutUint32(b[leaf+12:], 1<<30) },
		"key outside":      func(b []byte) { binary.NativeEndian.PutUint32(b[leaf+pageHeader+4:], 1<<31) },
		"value outside":    func(b []byte) { binary.NativeEndian.PutUint32(b[leaf+pageHeader+12:], 1<<31) },
		"keys in disorder": func(b []byte) { b[leaf+pageHeader+int(binary.NativeEndian.Uint32(b[leaf+pageHeader+4:]))] = 0xff },
		"bucket below":     func(b []byte) { b[leaf+pageHeader] = bucketValue },
	} {
		t.Run(name, func(t *testing.T) {
			bad := append([]byte{}, good...)
			spoil(bad)
			path := filepath.Join(t.TempDir(), "bad")
			os.WriteFile(path, bad, 0o600)
			db, err := openReader(path, nil)
			if db != nil {
				db.Close()
			}
			if !errors.Is(err, errDamaged) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// FuzzBackup holds that whatever is in a file, looking at it ends, and that what
// is taken for a backup makes a database that opens.
func FuzzBackup(f *testing.F) {
	s, c := newStore(f, nil)
	mustUpdate(f, s, func(tx *Tx) error {
		tx.Audit(Event{Kind: "enroll"})
		return errors.Join(tx.PutUser("alice", User{UID: 7}), tx.Scope("alice", "totp").Put("totp-1", []byte("A")))
	})
	path, _ := backup(f, s, c)
	good := readFile(f, path)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("factord"))
	for at := 0; at < len(good); at += 1499 {
		bad := append([]byte{}, good...)
		bad[at] ^= 1 << (at % 8)
		f.Add(bad)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<18 {
			t.Skip("longer than it takes")
		}
		path := filepath.Join(t.TempDir(), "backup")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		from, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		r := restore{Config: c}
		r.seal, _ = newSealer(c.Key)
		db, err := r.openBackup(from)
		if err != nil {
			return
		}
		defer db.Close()
		made := filepath.Join(t.TempDir(), "made")
		err = db.View(func(tx *bolt.Tx) error {
			return copyDatabase(made, tx, func(_, _, value []byte) []byte { return value })
		})
		if err != nil {
			t.Fatal(err)
		}
		copied, err := openFile(made, c)
		if err != nil {
			t.Fatal(err)
		}
		copied.Close()
	})
}
