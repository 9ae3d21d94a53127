package pam_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// Flipped bits, each on its own: whether or not factord starts with them, a code
// that was spent stays spent, and what does not unseal lets nobody in.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	spent := l.code()
	if v := l.Login(-1, l.auth("sudo"), spent); !v.Allow {
		t.Fatalf("%+v", v)
	}
	l.Stop()
	path := filepath.Join(l.State, "factord.db")
	db, used, started := read(t, path), []int{}, 0
	for i, b := range db {
		if b != 0 {
			used = append(used, i)
		}
	}
	const places = 60
	for n := range places {
		at, bad := used[n*len(used)/places], bytes.Clone(db)
		bad[at] ^= 1 << (n % 8)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if status, _ := l.tryStart(); status != 0 {
			continue
		}
		started++
		v, err := factordtest.Login(l.Socket, -1, l.auth("sudo"), &factordtest.Talk{Answers: []string{spent}})
		if err == nil && v.Allow {
			t.Errorf("bit %d of byte %d: a spent code is accepted: %+v", n%8, at, v)
		}
		l.Kill9()
	}
	t.Logf("factord started with %d of %d damaged files", started, places)
}

// A record whose key has a flipped bit belongs to nobody. That must not make its
// owner one who never had a factor, whom mode "enrolled" lets in without.
func TestFlippedName(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{Config: "[[rule]]\nmode = \"enrolled\"\nfactors = [\"totp\"]\n"})
	l.Stop()
	path := filepath.Join(l.State, "factord.db")
	db := read(t, path)
	for at := 0; ; at++ {
		next := bytes.Index(db[at:], []byte(l.who.Name))
		if next < 0 {
			break
		}
		at += next
		bad := bytes.Clone(db)
		bad[at+1] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if status, _ := l.tryStart(); status != 0 {
			continue
		}
		v, err := factordtest.Login(l.Socket, -1, l.auth("sudo"), &factordtest.Talk{Answers: []string{"000"}})
		if err == nil && v.Allow {
			t.Errorf("byte %d: who is enrolled is let in without a factor: %+v", at+1, v)
		}
		l.Kill9()
	}
}

// tryStart starts a factord that may refuse to start, and returns its status, 0
// if it serves.
func (l *lab) tryStart() (int, string) {
	l.t.Helper()
	l.Launch(l.Args()...)
	for l.Running() {
		if c, err := factordtest.Dial(l.Socket, -1); err == nil {
			defer c.Close()
			if wire.Greet(wire.NewLines(c)) == nil {
				return 0, ""
			}
		}
		time.Sleep(time.Millisecond)
	}
	return l.Wait(time.Second), l.Log()
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
