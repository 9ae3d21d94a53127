package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/totp"
	"github.com/factord/factord/daemon/store"
)

// rules let the benchmark's users in with HOTP codes, of which every one is
// fresh, unlike TOTP's.
const rules = `
[[rule]]
name = "bench"
factors = ["totp"]
`

// lookAhead lets an aborted run's codes be skipped.
const lookAhead = "10"

// factord is a running daemon with its own state.
type factord struct {
	dir, socket string
	cmd         *exec.Cmd
	secrets     []string // of the active users, base32
	counters    []uint64 // the next counter of each
}

// userName is the n-th active user; bench.go has made the accounts.
func userName(n int) string { return fmt.Sprintf("fbench%d", n) }

// startFactord fills a database with enrolled users, of whom the first active
// ones log in, and starts the built daemon on it.
func startFactord(bin, dir, rules string, enrolled, active int) (*factord, error) {
	f := &factord{dir: dir, socket: filepath.Join(dir, "f.sock"), counters: make([]uint64, active)}
	state, config := filepath.Join(dir, "state"), filepath.Join(dir, "f.toml")
	if out, err := exec.Command(filepath.Join(bin, "factord"), "--init", "--state", state).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("factord --init: %w: %s", err, out)
	}
	if err := f.fill(state, enrolled, active); err != nil {
		return nil, err
	}
	if err := os.WriteFile(config, []byte(rules), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	f.cmd = exec.Command(filepath.Join(bin, "factord"), "--config", config, "--state", state, "--socket", f.socket)
	f.cmd.Stderr = log
	f.cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := f.cmd.Start(); err != nil {
		return nil, err
	}
	for range 500 {
		if c, err := net.Dial("unix", f.socket); err == nil {
			c.Close()
			return f, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, fmt.Errorf("factord does not answer, see %s", log.Name())
}

func (f *factord) stop() {
	f.cmd.Process.Signal(unix.SIGTERM)
	f.cmd.Wait()
}

// fill enrols users in the store itself: a hundred thousand accounts are too
// many for a machine's user database.
func (f *factord) fill(state string, enrolled, active int) error {
	key, err := store.ReadKey(state, "")
	if err != nil {
		return err
	}
	db, err := store.Open(store.Config{Dir: state, Key: key})
	if err != nil {
		return err
	}
	defer db.Close()
	keeper := totp.New(totp.Config{Issuer: "bench"})
	for n := 0; n < enrolled; {
		err := db.Update(context.Background(), func(tx *store.Tx) error {
			for ; n < enrolled && n%1000 != 999; n++ {
				if err := f.enrol(tx, keeper, n, active); err != nil {
					return err
				}
			}
			if n < enrolled {
				err := f.enrol(tx, keeper, n, active)
				n++
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *factord) enrol(tx *store.Tx, keeper *totp.Factor, n, active int) error {
	user := userName(n)
	draft, err := keeper.Enroll(factor.Enrolment{User: user, Kind: "hotp", Options: map[string]string{"look-ahead": lookAhead}, Now: time.Now()})
	if err != nil {
		return err
	}
	if n < active {
		_, rest, _ := strings.Cut(draft.Show.(totp.Shown).URI, "secret=")
		secret, _, _ := strings.Cut(rest, "&")
		f.secrets = append(f.secrets, secret)
	}
	if err := tx.PutUser(user, store.User{UID: uint32(firstUID + n), Tombstone: true}); err != nil {
		return err
	}
	return draft.Commit(tx.Scope(user, keeper.Name()), nil, time.Now())
}

// memory returns the daemon's memory in kB, of a kind in /proc/PID/status: RssAnon,
// VmRSS.
func (f *factord) memory(kind string) (kB int, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), kind+":")
	_, err = fmt.Sscan(rest, &kB)
	return kB, err
}
