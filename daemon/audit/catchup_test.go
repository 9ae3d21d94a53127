package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/store"
)

// ring is a database with records of these kinds, and their lines.
func ring(t *testing.T, kinds ...string) (*store.Store, []string) {
	t.Helper()
	dir := t.TempDir()
	os.Chmod(dir, 0o700)
	key := store.NewKey()
	now := time.Now()
	if err := store.Init(dir, key); err != nil {
		t.Fatal(err)
	}
	var lines []string
	db, err := store.Open(store.Config{Dir: dir, Key: key, Clock: func() time.Time { return now }, Committed: func(all []store.Record) error {
		for _, r := range all {
			lines = append(lines, string(r.Text)+"\n")
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for i, kind := range kinds {
		now = now.Add(time.Second)
		err := db.Update(context.Background(), func(tx *store.Tx) error {
			tx.Audit(store.Event{Kind: kind, User: fmt.Sprint("user", i), Log: strings.Repeat("x", 400)})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return db, lines
}

// caughtUp is what a file with this text has after factord's start.
func caughtUp(t *testing.T, db *store.Store, text string) (string, *logBuffer) {
	t.Helper()
	path, log := filepath.Join(t.TempDir(), "f"), &logBuffer{}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := New(Config{Log: slog.New(slog.NewTextHandler(log, nil))})
	c.Configure(Settings{File: path})
	c.CatchUp(db)
	if _, lost := c.Status(); lost[path] != 0 {
		t.Errorf("%d are lost", lost[path])
	}
	c.Close()
	return content(t, path), log
}

// What factord was killed before it could write, and what was done while it did
// not run, is in the file after the next start; what is there is not written again.
func TestCatchUp(t *testing.T) {
	kinds := slices.Repeat([]string{"verdict"}, 300)
	kinds[290] = "restore"
	db, lines := ring(t, kinds...)
	all := strings.Join(lines, "")
	_, older := ring(t, "verdict", "verdict")
	// A chain whose first 290 are the database's, and that a restore has ended.
	replaced := append(slices.Clone(lines[:290]), strings.ReplaceAll(lines[290], "restore", "unlock"), strings.ReplaceAll(lines[291], "verdict", "unlock"))
	const refusal = `{"time":"2026-01-31T10:00:00Z","kind":"refused","peer_uid":0}` + "\n"
	restored := strings.Join(lines[290:], "")
	for name, test := range map[string]struct {
		text, more string
		log        string
	}{
		"nothing":               {all, "", ""},
		"the last":              {strings.Join(lines[:299], ""), lines[299], "first=300 last=300"},
		"all but one":           {lines[0], strings.Join(lines[1:], ""), "first=2 last=300"},
		"refusals at the end":   {strings.Join(lines[:298], "") + refusal, lines[298] + lines[299], "first=299"},
		"torn":                  {strings.Join(lines[:298], "") + lines[298][:50], "\n" + lines[298] + lines[299], "first=299"},
		"a rotated one":         {lines[298], lines[299], "first=300"},
		"restored":              {strings.Join(replaced, ""), restored, "first=291"},
		"of an older backup":    {strings.Join(older, ""), restored, "first=291"},
		"new":                   {"", "", "it has no records"},
		"refusals alone":        {refusal, "", "it has no records"},
		"changed":               {strings.Join(lines[:298], "") + strings.ReplaceAll(lines[298], "user", "eser"), "", "does not end with records of this database"},
		"of the time after it":  {strings.ReplaceAll(lines[299], "user", "eser"), "", "does not end with records of this database"},
		"no text":               {strings.Repeat("\x00", endSize+99), "\n", "it has no records"},
		"one line without ends": {strings.Repeat("x", 3*endSize), "\n", "it has no records"},
	} {
		t.Run(name, func(t *testing.T) {
			got, log := caughtUp(t, db, test.text)
			if strings.HasPrefix(test.log, "it has") {
				test.more = ""
			}
			if got != test.text+test.more {
				t.Errorf("the file has %d bytes, want %d more than %d; log: %s", len(got), len(test.more), len(test.text), log.b.String())
			}
			if test.log == "" && log.b.Len() > 0 || log.count(test.log) != 1 && test.log != "" {
				t.Errorf("log: %s", log.b.String())
			}
		})
	}
}

// A new database has nothing to say of a new file.
func TestCatchUpWithNothing(t *testing.T) {
	db, _ := ring(t)
	if got, log := caughtUp(t, db, ""); got != "" || log.b.Len() > 0 {
		t.Errorf("%q, log: %s", got, log.b.String())
	}
}

// Records that do not fit together get no copies.
func TestChained(t *testing.T) {
	good := []store.Record{{Text: []byte("a")}, {Text: []byte("b")}}
	if err := chained(good); err == nil {
		t.Error("they fit")
	}
	if err := chained(good[:1]); err != nil {
		t.Error(err)
	}
}

// What was lost is said at the end, when nobody can ask any more.
func TestLossesAreSummedUp(t *testing.T) {
	for name, hangs := range map[string]bool{"fails": false, "hangs": true} {
		t.Run(name, func(t *testing.T) {
			log, f := &logBuffer{}, newFake()
			c := &Copies{log: slog.New(slog.NewTextHandler(log, nil))}
			c.file = newDestination("file", f, c.log)
			hang := make(chan struct{})
			f.set(errors.New("disk full"), nil)
			if hangs {
				f.set(nil, hang)
			}
			for seq := range uint64(7) {
				c.Committed(records(seq+1, seq+1))
			}
			c.Close()
			if log.count("audit copies were lost") != 1 || log.count("lost=7") != 1 {
				t.Errorf("log: %s", log.b.String())
			}
			close(hang)
			<-c.file.ended
			if log.count("audit copies were lost") != 1 {
				t.Errorf("log: %s", log.b.String())
			}
		})
	}
}
