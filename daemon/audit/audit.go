// Package audit gives copies of audit records to journald and to a file of JSON
// lines.
//
// The records themselves are in factord's database, which whoever has root on
// this machine can replace. A copy that has left the machine, or that a log
// collector has read, tells what was decided all the same. It must not cost a
// login anything, though: what can't be handed over within 100 ms is counted as
// lost, unless [audit] strict asks for the opposite.
package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/factord/factord/daemon/store"
)

const (
	// patience is how long a destination has to take a record.
	patience = 100 * time.Millisecond
	// drainTime bounds how long Close waits for what is on its way.
	drainTime = time.Second
	// openTime is how long a file may take that must be opened, or one that is to
	// be read; patience is for one whose copies may be lost. The disk of a file may
	// be a server that is gone.
	openTime = 2 * time.Second
)

// KindRefused is the kind of a record that was never in the database's chain: a
// refusal before any factor was asked.
const KindRefused = "refused"

// Settings are what the configuration says of copies.
type Settings struct {
	Strict bool   // Committed fails if a copy was not taken
	File   string // JSON lines; empty: none
}

// Config is what does not change while factord runs.
type Config struct {
	// Log hears of losses. Without a journal it takes the records too, as
	// lines of text.
	Log *slog.Logger
	// Journal has copies given to journald.
	Journal bool
	// State is factord's own folder, in which no copies are written: a line more,
	// and the seal key or the database opens no more.
	State string
}

// Copies passes audit records on. It is safe for concurrent use.
type Copies struct {
	log     *slog.Logger
	state   string
	journal *destination // nil: none
	text    *destination // nil: the journal has it all

	opening atomic.Bool // see reach

	mu       sync.RWMutex // held for reading while records are queued
	settings Settings
	file     *destination // nil: none
}

// New returns copies without a file, and not strict; see Configure.
func New(c Config) *Copies {
	if c.Journal {
		return &Copies{log: c.Log, state: c.State, journal: newDestination("journal", &journald{}, c.Log)}
	}
	return &Copies{log: c.Log, state: c.State, text: newDestination("log", text{c.Log.Handler()}, c.Log)}
}

// ErrNowhere is strict without a destination.
var ErrNowhere = errors.New("[audit] strict = true, and there is neither a journal nor a file for the copies\n" +
	`hint: write file = "/var/log/factord/audit.jsonl" beside it, or let systemd start factord`)

// Try says what is wrong with settings that differ from those in force. It does
// not wait for a file that hangs.
func (c *Copies) Try(s Settings) error { return c.try(s, openTime) }

// TryFirst is Try before there are any settings: a file whose copies may be lost
// must not hold off the first login.
func (c *Copies) TryFirst(s Settings) error {
	if s.Strict {
		return c.try(s, openTime)
	}
	return c.try(s, patience)
}

func (c *Copies) try(s Settings, wait time.Duration) error {
	c.mu.RLock()
	now := c.settings
	c.mu.RUnlock()
	switch {
	case s == now:
		return nil // a file that has broken since holds off no change of the rules
	case s.Strict && c.journal == nil && s.File == "":
		return ErrNowhere
	case s.File == "" || s.File == now.File && !s.Strict:
		return nil
	}
	return c.reach(s.File, wait, func(*file) error { return nil })
}

// errHangs has the hint for the admin.
var errHangs = errors.New("it can't be opened: its disk does not answer\nhint: look whether what is mounted there is alive (df, findmnt); local disks wait for nobody")

// reach opens a file and has it looked at, but does not wait longer than that for
// a disk that hangs. What hangs is left alone, and there is never more than one.
func (c *Copies) reach(path string, wait time.Duration, look func(*file) error) error {
	if !c.opening.CompareAndSwap(false, true) {
		return fmt.Errorf("%s: %w", path, errHangs)
	}
	result := make(chan error, 1)
	go func() {
		defer c.opening.Store(false)
		f := &file{path: path, state: c.state}
		err := f.follow()
		if err == nil {
			err = look(f)
		}
		f.close()
		result <- err
	}()
	select {
	case err := <-result:
		return err
	case <-time.After(wait):
		return fmt.Errorf("%s: %w", path, errHangs)
	}
}

// HasJournal reports whether journald gets copies.
func (c *Copies) HasJournal() bool { return c.journal != nil }

// Configure puts settings in force. What is on its way to a file that is no
// longer wanted still gets there.
func (c *Copies) Configure(s Settings) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.File != c.settings.File {
		if c.file != nil {
			c.file.end()
		}
		c.file = nil
		if s.File != "" {
			c.file = newDestination(s.File, &file{path: s.File, state: c.state}, c.log)
		}
	}
	c.settings = s
}

// Committed takes the records of one commit, see store.Config. It waits for
// nothing unless strict is set; then its error names who did not take them.
func (c *Copies) Committed(records []store.Record) error {
	deadline := time.Now().Add(patience)
	c.mu.RLock()
	strict := c.settings.Strict
	var failed error
	var waits [2]*batch
	for i, d := range [...]*destination{c.journal, c.file} {
		if d != nil {
			waits[i] = d.put(records, deadline, strict)
		}
	}
	c.mu.RUnlock()
	for _, b := range waits {
		if !strict || b == nil {
			continue
		}
		if err := <-b.done; err != nil && failed == nil {
			failed = fmt.Errorf("%s: %w", b.to, err)
		}
	}
	if failed == nil && c.text != nil { // else session logs what became of them
		c.text.put(records, deadline.Add(patience), false)
	}
	return failed
}

// Refused takes an event that is not in the chain. It never waits.
func (c *Copies) Refused(e store.Event) {
	if e.Kind != "answer" { // of somebody who does not exist
		e.Kind = KindRefused
	}
	e.Time = time.Now().UTC()
	line, err := json.Marshal(struct {
		store.Event
		Seq  *uint64 `json:"seq,omitempty"` // it has neither
		Prev *[]byte `json:"prev,omitempty"`
	}{Event: e})
	if err != nil {
		c.log.Error("encoding a refusal", "error", err)
		return
	}
	records, deadline := []store.Record{{Event: e, Text: line}}, time.Now().Add(patience)
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, d := range [...]*destination{c.journal, c.file, c.text} {
		if d != nil {
			d.put(records, deadline, false)
		}
	}
}

// Status is what STATUS tells root: who gets copies, and how many each has not
// taken since factord started.
func (c *Copies) Status() (strict bool, lost map[string]uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	lost = map[string]uint64{}
	for _, d := range [...]*destination{c.journal, c.file} {
		if d != nil {
			lost[d.name] = d.losses()
		}
	}
	return c.settings.Strict, lost
}

// Close hands over what is on its way, but does not wait long for it, and logs
// what was lost: nobody can ask any more.
func (c *Copies) Close() {
	c.mu.RLock()
	defer c.mu.RUnlock()
	defer c.sumUp()
	limit := time.After(drainTime)
	for _, d := range [...]*destination{c.journal, c.file, c.text} {
		if d != nil {
			d.end()
		}
	}
	for _, d := range [...]*destination{c.journal, c.file, c.text} {
		if d == nil {
			continue
		}
		select {
		case <-d.ended:
		case <-limit:
			return
		}
	}
}

// sumUp logs the losses of destinations that did not end in time.
func (c *Copies) sumUp() {
	for _, d := range [...]*destination{c.journal, c.file, c.text} {
		if d != nil {
			d.sumUp()
		}
	}
}
