package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/factord/factord/daemon/audit"
	"github.com/factord/factord/daemon/store"
)

// A factord that has read the key just before a rekey changed it is not told that
// its key is wrong.
func TestStartBesideARekey(t *testing.T) {
	dir := t.TempDir()
	os.Chmod(dir, 0o700)
	key, err := store.MakeKey(dir)
	if err == nil {
		err = store.Init(dir, key)
	}
	if err != nil {
		t.Fatal(err)
	}
	file, kept := filepath.Join(dir, store.KeyFile), filepath.Join(t.TempDir(), "key")
	if err := os.Rename(file, kept); err != nil {
		t.Fatal(err)
	}
	if _, err := store.MakeKey(dir); err != nil { // as it was before
		t.Fatal(err)
	}
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil { // as a rekey does
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	copies := audit.New(audit.Config{Log: log})
	defer copies.Close()
	done := make(chan error)
	go func() {
		db, err := openStore(options{state: dir}, copies, log)
		if err == nil {
			err = db.Close()
		}
		done <- err
	}()
	time.Sleep(300 * time.Millisecond) // it has the key, and waits for the directory
	if err := os.Rename(kept, file); err != nil {
		t.Fatal(err)
	}
	d.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestForgottenCredential(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal-key")
	if text := forgottenCredential(path, withStore); text != nil {
		t.Errorf("there is none, and yet %q", text)
	}
	os.WriteFile(path, nil, 0o600)
	for with, want := range map[string]string{withStore: "CREDENTIALS_DIRECTORY=/etc/credstore ", withSystemd: "LoadCredentialEncrypted=seal-key "} {
		text := strings.Join(forgottenCredential(path, with), "\n")
		if !strings.Contains(text, path+" exists") || !strings.Contains(text, want) {
			t.Errorf("warned %q", text)
		}
	}
}
