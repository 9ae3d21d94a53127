package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

func TestSealedValuesDoNotMove(t *testing.T) {
	s, c := newStore(t, nil)
	mustUpdate(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutUser("mallory", User{}), tx.Scope("mallory", "totp").Put("totp-1", []byte("secret of mallory")))
	})
	s.Close()
	data, _ := os.ReadFile(filepath.Join(c.Dir, DatabaseFile))
	if strings.Contains(string(data), "secret of mallory") {
		t.Error("a record lies in the file in clear")
	}
	db, err := bolt.Open(filepath.Join(c.Dir, DatabaseFile), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketRecords)
		value := append([]byte(nil), b.Get(recordKey("mallory", "totp", "totp-1"))...)
		return errors.Join(b.Put(recordKey("root", "totp", "totp-1"), value), b.Put(recordKey("mallory", "backup", "totp-1"), value))
	})
	db.Close()
	s = open(t, c)
	s.View(func(tx *Tx) error {
		if _, _, _, err := tx.Load("root"); err == nil {
			t.Error("a record opened for another user")
		}
		if _, _, err := tx.Scope("mallory", "backup").Get("totp-1"); err == nil {
			t.Error("a record opened for another factor")
		}
		if _, ok, err := tx.Scope("mallory", "totp").Get("totp-1"); !ok || err != nil {
			t.Errorf("the record itself: %v %v", ok, err)
		}
		return nil
	})
}

func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, KeyFile)
	hexKey := strings.Repeat("ab", KeySize)
	for text, ok := range map[string]bool{hexKey: true, hexKey + "\n": true, strings.Repeat("k", KeySize): true,
		"": false, "ab": false, hexKey + "ab": false, strings.Repeat("zz", KeySize): false, strings.Repeat("a", 4096): false} {
		os.Remove(path)
		os.WriteFile(path, []byte(text), 0o600)
		if _, err := ReadKey(dir, ""); (err == nil) != ok {
			t.Errorf("key file %.20q…: %v", text, err)
		}
	}
	os.WriteFile(path, []byte(hexKey), 0o600)
	os.Chmod(path, 0o644)
	if _, err := ReadKey(dir, ""); err == nil {
		t.Error("a key that others can read was taken")
	}
	credentials := t.TempDir()
	os.WriteFile(filepath.Join(credentials, CredentialName), []byte(strings.Repeat("cd", KeySize)), 0o400)
	if key, err := ReadKey(dir, credentials); err != nil || key[0] != 0xcd {
		t.Errorf("the credential comes first: %v", err)
	}
	if _, err := ReadKey(t.TempDir(), ""); err == nil || !strings.Contains(err.Error(), "hint:") {
		t.Errorf("missing key: %v", err)
	}
	if got := fmt.Sprintf("%v %x %s %#v", Key{1}, Key{1}, Key{1}, Key{1}); strings.Contains(got, "1") {
		t.Errorf("a key prints as %q", got)
	}
}
