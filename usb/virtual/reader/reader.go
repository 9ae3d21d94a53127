// Package reader puts virtual YubiKeys behind the real pcscd, for tests: pcscd with
// vsmartcard's reader driver, in mount and network namespaces of its own. The test and
// what it starts find it through PCSCLITE_CSOCK_NAME.
package reader

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
)

// Name is what the readers are called, before pcscd's two numbers: as a real key's, for
// some clients look for it.
const Name = "Yubico YubiKey OTP+FIDO+CCID"

const (
	driver    = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
	firstPort = 36001
	// perDriver is how many readers one copy of the driver has.
	perDriver = 2

	// patience is how long pcscd may take, and look how often it is looked at.
	patience = 30 * time.Second
	look     = 10 * time.Millisecond
)

// Config of the readers. The zero value is a good start.
type Config struct {
	// Readers is how many there are at least; 2 if 0. They come in pairs.
	Readers int
}

// Readers are the readers of one pcscd.
type Readers struct {
	// Socket is pcscd's. libpcsclite reads its name once, so it is the same in all
	// tests of a process.
	Socket string

	t    testing.TB
	dir  string
	log  string
	run  *process // nil: pcscd was killed
	keys []*Key   // by reader; nil: it is empty
}

// New starts a pcscd that ends with the test. No other test of the process can run
// beside one that has it.
func New(t testing.TB, config Config) *Readers {
	t.Helper()
	factordtest.NeedRoot(t)
	for _, program := range []string{"unshare", "ip", "pcscd"} {
		factordtest.NeedProgram(t, program)
	}
	if config.Readers == 0 {
		config.Readers = perDriver
	}
	pairs := (config.Readers + perDriver - 1) / perDriver
	r := &Readers{t: t, dir: makeRunDir(t), keys: make([]*Key, pairs*perDriver)}
	r.Socket, r.log = filepath.Join(r.dir, "pcscd.comm"), filepath.Join(t.TempDir(), "log")
	t.Setenv("PCSCLITE_CSOCK_NAME", r.Socket)
	r.configure(pairs)
	t.Cleanup(r.end)
	r.Start()
	return r
}

// runPrefix begins the names of pcscd's folders.
const runPrefix = "factord-pcscd-"

// runDir names the folder that pcscd has as its /run/pcscd, and removes those of test
// processes that were killed.
var runDir = sync.OnceValue(func() string {
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), runPrefix+"*-*"))
	for _, dir := range old {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), runPrefix), "-")
		if pid, err := strconv.Atoi(owner); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			os.RemoveAll(dir)
		}
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("%s%d-%s", runPrefix, os.Getpid(), rand.Text()[:8]))
})

// makeRunDir makes the folder for one test.
func makeRunDir(t testing.TB) string {
	t.Helper()
	dir := runDir()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatalf("making pcscd's folder: %v\nhint: there can be one pcscd at a time in a test process", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// configure writes reader.conf. A second entry for one driver file would share its
// variables with the first one: each pair of readers has a copy.
func (r *Readers) configure(pairs int) {
	r.t.Helper()
	library, err := os.ReadFile(driver)
	if err != nil {
		r.t.Fatalf("%v\nhint: install vsmartcard-vpcd; \"make test\" does", err)
	}
	conf := filepath.Join(r.dir, "conf")
	if err := os.Mkdir(conf, 0o755); err != nil {
		r.t.Fatal(err)
	}
	var text string
	for i := range pairs {
		file, port := filepath.Join(r.dir, fmt.Sprintf("vpcd%d.so", i)), firstPort+i*perDriver
		if err := os.WriteFile(file, library, 0o755); err != nil {
			r.t.Fatal(err)
		}
		text += fmt.Sprintf("FRIENDLYNAME %q\nDEVICENAME /dev/null:%d\nLIBPATH %s\nCHANNELID %d\n", entryName(i), port, file, port)
	}
	if err := os.WriteFile(filepath.Join(conf, "readers"), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// entryName is that of a pair of readers. pcscd would let two have the same.
func entryName(pair int) string {
	if pair == 0 {
		return Name
	}
	return fmt.Sprintf("%s [%d]", Name, pair)
}

// Log returns what pcscd has logged.
func (r *Readers) Log() string {
	text, _ := os.ReadFile(r.log)
	return string(text)
}

// eventually waits until a condition holds.
func (r *Readers) eventually(what string, holds func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(look) {
		if time.Now().After(deadline) {
			r.t.Fatalf("after %v not: %s\n%s", patience, what, r.Log())
		}
	}
}
