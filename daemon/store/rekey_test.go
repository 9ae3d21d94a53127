package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// rekeyed seals a store that it closes with a new key, and opens it.
func rekeyed(t testing.TB, s *Store, c Config) (*Store, Config, Contents) {
	t.Helper()
	s.Close()
	next := NewKey()
	found, err := Rekey(c, next, true)
	if err != nil {
		t.Fatal(err)
	}
	c.Key = next
	return open(t, c), c, found
}

func TestRekey(t *testing.T) {
	s, c := peopled(t, nil)
	before, generation := dump(t, s), s.state.Generation
	path, _ := backup(t, s, c)
	s, fresh, found := rekeyed(t, s, c)
	if got := dump(t, s); got != before || s.state.Generation != generation {
		t.Errorf("the store has\n%swant\n%s", got, before)
	}
	if all := events(t, s); len(all) != tailSize+4 || all[len(all)-1].Kind != "rekey" || found.Records != 3 {
		t.Errorf("%d events, found %+v", len(all), found)
	}
	s.Close()
	if _, err := Open(c); !errors.Is(err, ErrSealKey) {
		t.Errorf("the old key: %v", err)
	}
	if key, err := ReadKey(c.Dir, ""); err != nil || key != fresh.Key {
		t.Errorf("the key file: %v", err)
	}
	if left := entries(t, c.Dir); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
	if _, err := putBack(t, fresh, path, all); !errors.Is(err, ErrSealKey) {
		t.Errorf("an old backup with the new key: %v", err)
	}
	if done, err := putBack(t, c, path, all); err != nil || done.Generation != 1 || len(done.Warnings) != 2 {
		t.Errorf("an old backup with the old key: %+v, %v", done, err)
	}
}

// With a credential the key file is not factord's.
func TestRekeyLeavesTheKeyFileAlone(t *testing.T) {
	s, c := peopled(t, nil)
	s.Close()
	was := readFile(t, filepath.Join(c.Dir, KeyFile))
	if _, err := Rekey(c, Key{9}, false); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(readFile(t, filepath.Join(c.Dir, KeyFile)), was) {
		t.Error("the key file was changed")
	}
	c.Key = Key{9}
	open(t, c)
}

// What does not unseal can't be sealed anew. It must stay a sign of damage: were
// it gone, its user could look like one without a factor.
func TestRekeyKeepsDamageDamaged(t *testing.T) {
	s, c := peopled(t, nil)
	spoilRecord(t, s, bucketRecords, recordKey("alice", "totp", "totp-1"))
	spoilRecord(t, s, bucketUsers, []byte("bob"))
	old := bytes.Clone(readFile(t, filepath.Join(c.Dir, DatabaseFile)))
	s, _, found := rekeyed(t, s, c)
	if len(found.Damaged) != 2 || found.Damaged[0] != `records "alice/totp/totp-1"` || found.Damaged[1] != `users "bob"` {
		t.Errorf("damaged: %q", found.Damaged)
	}
	if value(t, s, "alice", "totp", "totp-1") != "unreadable" || value(t, s, "alice", "backup", "backup-1") != "B" {
		t.Error("the damaged record opens, or another does not")
	}
	s.View(func(tx *Tx) error {
		if u, found, _, err := tx.Load("alice"); !found || u.Records != 2 || err == nil {
			t.Errorf("alice: %+v %v %v", u, found, err)
		}
		if _, _, err := tx.User("bob"); err == nil {
			t.Error("bob's entry is read, or gone")
		}
		if keys := tx.Keys("alice"); len(keys) != 2 {
			t.Errorf("root sees %v", keys)
		}
		return nil
	})
	if len(old) == 0 {
		t.Fatal("no old database")
	}
}

func TestRekeyRefuses(t *testing.T) {
	s, c := peopled(t, nil)
	if _, err := Rekey(c, NewKey(), true); !errors.Is(err, ErrInUse) {
		t.Errorf("in use: %v", err)
	}
	s.Close()
	if _, err := Rekey(c, c.Key, true); !errors.Is(err, ErrSameKey) {
		t.Errorf("the same key: %v", err)
	}
	wrong := c
	wrong.Key[0] ^= 1
	if _, err := Rekey(wrong, NewKey(), true); !errors.Is(err, ErrSealKey) {
		t.Errorf("another key: %v", err)
	}
	os.Mkdir(filepath.Join(c.Dir, nextFile), 0o700)
	os.WriteFile(filepath.Join(c.Dir, nextFile, "x"), nil, 0o600)
	if _, err := Rekey(c, NewKey(), true); err == nil {
		t.Error("where no new database can be made")
	}
	os.RemoveAll(filepath.Join(c.Dir, nextFile))
	if left := entries(t, c.Dir); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
	open(t, c)
}

func TestSettleKey(t *testing.T) {
	s, c := peopled(t, nil)
	s.Close()
	file, next := filepath.Join(c.Dir, KeyFile), filepath.Join(c.Dir, nextKeyFile)
	settle := func(want bool) {
		t.Helper()
		if done, err := SettleKey(c.Dir); done != want || err != nil {
			t.Errorf("settled %v, %v", done, err)
		}
	}
	settle(false)
	good := readFile(t, file)
	for name, text := range map[string]string{"another": "2222222222222222222222222222222222222222222222222222222222222222", "half": "22"} {
		os.WriteFile(next, []byte(text), 0o600)
		settle(false) // cut off before the database changed
		if _, err := ReadKey(c.Dir, ""); err != nil || !bytes.Equal(readFile(t, file), good) {
			t.Errorf("%s: the key file was changed: %v", name, err)
		}
	}
	os.WriteFile(next, good, 0o600)
	os.WriteFile(file, bytes.Repeat([]byte("3"), 64), 0o600)
	settle(true) // cut off after
	if !bytes.Equal(readFile(t, file), good) || len(entries(t, c.Dir)) != 2 {
		t.Errorf("left %v", entries(t, c.Dir))
	}
	os.Rename(file, next)
	settle(true)
	os.WriteFile(next, good, 0o600)
	open(t, c)
	if _, err := SettleKey(c.Dir); !errors.Is(err, ErrInUse) {
		t.Errorf("in use: %v", err)
	}
}
