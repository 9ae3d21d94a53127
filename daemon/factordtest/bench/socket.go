package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/pquerna/otp/hotp"
	bolt "go.etcd.io/bbolt"
)

const (
	// active is how many users log in.
	active = 64
	// perRound is how many logins of each kind are one round.
	perRound = 192
	// socketRounds is how often the kinds take turns.
	socketRounds = 12
	// perWide is the same for 64 connections: so many for each of them that
	// beginning and end, when fewer are at work, do not count.
	perWide = 64 * 48
)

// next returns the next code of a user. Each user belongs to one worker.
func (f *factord) next(user int) (name, code string) {
	code, err := hotp.GenerateCode(f.secrets[user], f.counters[user])
	if err != nil {
		panic(err) // the secrets are the benchmark's own
	}
	f.counters[user]++
	return userName(user), code
}

// allowed and refused say what outcome a login is measured for.
func allowed(err error) bool { return err == nil }
func refused(err error) bool { return errors.Is(err, errRefused) }

// benchSocket measures verdicts over the socket.
func benchSocket(r *report, bin, dir string, users int) error {
	small, err := startIn(bin, filepath.Join(dir, "small"), 1000)
	if err != nil {
		return err
	}
	defer small.stop()
	large, err := startIn(bin, filepath.Join(dir, "large"), users)
	if err != nil {
		return err
	}
	defer large.stop()
	idle, err := small.memory("RssAnon")
	if err != nil {
		return err
	}
	floor, err := newFloor(filepath.Join(dir, "small", "floor.db"))
	if err != nil {
		return err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(active + 4)) // blocked threads keep their place
	s := series{}
	for range socketRounds {
		good := &client{socket: small.socket, code: small.next}
		s.add("1", good.run(1, perRound, allowed))
		s.add("8", good.run(8, perRound, allowed))
		s.add("64", good.run(64, perWide, allowed))
		s.add("large", (&client{socket: large.socket, code: large.next}).run(64, perWide, allowed))
		s.add("dialogue", small.waiting().run(1, perRound, refused))
		s.add("bolt", floor.run(perRound))
	}
	for kind, one := range s {
		if one.errors > 0 {
			r.atMost("outcomes that were not due, "+kind+": "+one.first.Error(), float64(one.errors), 0)
		}
	}
	r.socket(s)
	r.section("Idle factord")
	r.atMost("anonymous memory in MB", float64(idle)/1024, 20)
	return nil
}

func startIn(bin, dir string, users int) (*factord, error) {
	return startWith(bin, dir, rules, users)
}

func startWith(bin, dir, rules string, users int) (*factord, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	return startFactord(bin, dir, rules, users, active)
}

// waiting is a client whose codes are refused unverified, since its user, who is
// enrolled like the others, has guessed too often: the same dialogue, without a
// commit.
func (f *factord) waiting() *client {
	wrong := &client{socket: f.socket, code: func(int) (string, string) { return userName(active), "000000" }}
	for range 30 {
		wrong.login(userName(active), "000000")
	}
	return wrong
}

// floor is a bare bbolt database with one small update after the other.
type floor struct{ db *bolt.DB }

func newFloor(path string) (*floor, error) {
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		return nil, err
	}
	return &floor{db}, db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists([]byte("b"))
		return err
	})
}

func (f *floor) run(n int) *sample {
	s := &sample{}
	begin := time.Now()
	for i := range n {
		t := time.Now()
		err := f.db.Update(func(tx *bolt.Tx) error {
			return tx.Bucket([]byte("b")).Put([]byte{byte(i)}, make([]byte, 256))
		})
		if err != nil {
			s.errors++
		}
		s.times = append(s.times, time.Since(t))
	}
	s.took = time.Since(begin)
	return s
}

// series gathers the samples of the rounds by kind.
type series map[string]*sample

func (s series) add(kind string, one *sample) {
	all := s[kind]
	if all == nil {
		all = &sample{}
		s[kind] = all
	}
	all.gather(one)
}

func (r *report) socket(s series) {
	r.section("Verdicts over the socket: connect, AUTH, code, durable allow")
	r.time("one connection, p50", s["1"].p50())
	r.time("  the same dialogue without a commit, p50", s["dialogue"].p50())
	r.time("  a bare bbolt update, p50", s["bolt"].p50())
	r.atMost("lone verdict / (bbolt update + dialogue)", float64(s["1"].p50())/float64(s["bolt"].p50()+s["dialogue"].p50()), 1.5)
	for _, width := range []string{"1", "8", "64"} {
		r.rate("verdicts at "+width+" connections", s[width].rate())
	}
	r.atLeast("verdicts/s at 64 connections / at one", s["64"].rate()/s["1"].rate(), 4)
	r.time("64 of 1,000 users, p50", s["64"].p50())
	r.time("64 of the large database's users, p50", s["large"].p50())
	r.atMost("large database / 1,000 users, p50", float64(s["large"].p50())/float64(s["64"].p50()), 1.3)
}
