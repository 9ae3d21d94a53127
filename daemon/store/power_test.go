package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
	"unsafe"
)

// A power loss takes of the pages that were written since the last sync any that it
// likes. A kill takes none.

// metaSize is the size of bbolt's two meta pages.
var metaSize = int64(2 * os.Getpagesize())

// onWrite puts a function between bbolt and its file. bbolt has no other place for it.
func onWrite(s *Store, fn func(write func([]byte, int64) (int, error), b []byte, at int64) (int, error)) {
	ops := reflect.ValueOf(s.db).Elem().FieldByName("ops").Field(0)
	write := (*func([]byte, int64) (int, error))(unsafe.Pointer(ops.UnsafeAddr()))
	real := *write
	*write = func(b []byte, at int64) (int, error) { return fn(real, b, at) }
}

// overwrite puts pages back that have not reached the disk.
func overwrite(t *testing.T, c Config, pages []byte, at int64) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(c.Dir, DatabaseFile), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(pages, at); err != nil {
		t.Fatal(err)
	}
}

// Killed between writing the meta page and syncing it, started again, and then the
// power is lost: the log must not have gone before the page was on the disk.
func TestKillThenPowerLoss(t *testing.T) {
	s, c := unsettled(t)
	addUser(t, s, 0)
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	addUser(t, s, 1)
	old := readFile(t, filepath.Join(c.Dir, DatabaseFile))[:metaSize]
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	killed := crash(t, c)
	before := readFile(t, filepath.Join(killed.Dir, DatabaseFile))
	again := open(t, killed)
	lost := crash(t, killed)
	after := readFile(t, filepath.Join(killed.Dir, DatabaseFile))
	if bytes.Equal(after, before) { // nothing was written, so nothing was synced
		overwrite(t, lost, old, 0)
	}
	again.Close()
	hasUsers(t, open(t, lost), 2)
}

// What a failed commit left in the kernel is no ground to build promises on.
func TestPromiseAfterAFailedCommit(t *testing.T) {
	s, c := unsettled(t)
	addUser(t, s, 0)
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	old, slot, fail := readFile(t, filepath.Join(c.Dir, DatabaseFile))[:metaSize], int64(0), true
	onWrite(s, func(write func([]byte, int64) (int, error), b []byte, at int64) (int, error) {
		n, err := write(b, at)
		if err == nil && fail && at < metaSize { // written, and its sync failed
			slot, old = at, old[at:at+int64(len(b))]
			return n, syscall.EIO
		}
		return n, err
	})
	err := s.Update(t.Context(), func(tx *Tx) error {
		s.redo.used = redoSize // so that it is committed at once
		return tx.PutBudget("x", 1)
	})
	if err == nil {
		t.Fatal("no failure")
	}
	fail = false
	addUser(t, s, 1)
	lost := crash(t, c)
	overwrite(t, lost, old, slot)
	hasUsers(t, open(t, lost), 2)
}

// disk knows which pages a power loss may take.
type disk struct {
	*rand.Rand
	path   string
	old    map[int64][]byte // by place, as they surely are on the disk
	synced bool             // the last write was of a meta page, and its sync succeeded
}

// write is bbolt's write, whose sync fails now and then.
func (d *disk) write(write func([]byte, int64) (int, error), b []byte, at int64) (int, error) {
	meta := at < metaSize
	if meta || d.synced { // the sync of the data comes before, or that of the last commit
		clear(d.old)
	}
	d.synced = false
	f, err := os.Open(d.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	page := metaSize / 2
	for p := at; p < at+int64(len(b)); p += page {
		if d.old[p] == nil {
			d.old[p] = make([]byte, page)
			f.ReadAt(d.old[p], p)
		}
	}
	n, err := write(b, at)
	if d.IntN(4) == 0 {
		return n, syscall.EIO
	}
	d.synced = meta
	return n, err
}

// lose returns a copy after a power loss.
func (d *disk) lose(t *testing.T, c Config) Config {
	c = crash(t, c)
	for at, page := range d.old {
		if !d.synced && d.IntN(2) == 0 {
			overwrite(t, c, page, at)
		}
	}
	return c
}

// Syncs that fail, kills and losses of power in any order forget nothing that
// somebody was told.
func TestPowerLoss(t *testing.T) {
	for seed := range uint64(30) {
		d := &disk{Rand: rand.New(rand.NewPCG(seed, 2))}
		s, c := unsettled(t)
		d.old = map[int64][]byte{}
		begin := func(committed bool) {
			s.settleIn = 1 << 40
			if d.path = filepath.Join(c.Dir, DatabaseFile); committed {
				d.old, d.synced = map[int64][]byte{}, true
			}
			onWrite(s, d.write)
		}
		begin(true)
		for s.Update(t.Context(), func(tx *Tx) error { return tx.PutUser("alice", User{UID: 1}) }) != nil {
		}
		told := uint64(0)
		for tried := uint64(1); tried < 100; tried++ {
			switch d.IntN(5) {
			case 0:
				s.Settle(t.Context())
			case 1:
				again := open(t, d.lose(t, c))
				if got := counter(t, again); got < told {
					t.Fatalf("seed %d: %d after %d was told", seed, got, told)
				}
				again.Close()
			case 2: // kill -9; what was not synced is so still, unless Open commits
				c = crash(t, c)
				killed := readFile(t, filepath.Join(c.Dir, DatabaseFile))
				s = open(t, c)
				begin(!bytes.Equal(killed, readFile(t, filepath.Join(c.Dir, DatabaseFile))))
			default:
				full := d.IntN(6) == 0
				err := s.Update(t.Context(), func(tx *Tx) error {
					if full {
						s.redo.used = redoSize
					}
					tx.Audit(Event{Kind: "verdict", User: fmt.Sprint(tried)})
					return tx.Scope("alice", "hotp").Put("1", binary.BigEndian.AppendUint64(nil, tried))
				})
				if err == nil {
					told = tried
				}
			}
		}
	}
}

// counter is what TestPowerLoss has written last; the audit chain must hold.
func counter(t *testing.T, s *Store) (n uint64) {
	t.Helper()
	err := s.View(func(tx *Tx) error {
		v, found, err := tx.Scope("alice", "hotp").Get("1")
		if found {
			n = binary.BigEndian.Uint64(v)
		}
		if err != nil {
			return err
		}
		return tx.VerifyAudit()
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
