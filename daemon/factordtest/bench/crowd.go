package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/pquerna/otp/hotp"
)

// How many people of a crowd log in at once, and how often by turns with another
// crowd.
const (
	crowdSize  = 8
	crowdTurns = 6
)

// loop is somebody who logs in again and again.
type loop interface {
	turn() error
	measured() *sample
}

// crowd are loops of logins side by side, each of a user with a token of their own.
type crowd struct {
	loops []loop
	took  time.Duration
	spent cpu
}

// newCrowd makes a crowd that logs in as argv does for the first user.
func newCrowd(name string, argv []string, next func(user int) (string, error)) *crowd {
	c := &crowd{}
	for n := range crowdSize {
		own := slices.Clone(argv)
		own[2] = userName(n)
		c.loops = append(c.loops, &process{name: name, argv: own, input: func() (string, error) { return next(n) }})
	}
	return c
}

// run lets everybody log in so many times.
func (c *crowd) run(times int) error {
	errs := make([]error, len(c.loops))
	var wg sync.WaitGroup
	begin := time.Now()
	for i, p := range c.loops {
		wg.Go(func() {
			for range times {
				if errs[i] = p.turn(); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	c.took += time.Since(begin)
	return errors.Join(errs...)
}

// sample is what the crowd has measured.
func (c *crowd) sample() *sample {
	s := &sample{}
	for _, p := range c.loops {
		s.gather(p.measured())
	}
	s.took = c.took
	return s
}

// each is the processor time of a login.
func (c *crowd) each() cpu { return c.spent.each(len(c.sample().times)) }

// crowds are those of pam_factord and of a peer that is as durable.
func (l *logins) crowds(f *factord) error {
	l.moduleCrowd = newCrowd(l.module.name, l.module.argv, func(user int) (string, error) {
		_, code := f.next(user)
		return code + "\n", nil
	})
	dir := filepath.Join(f.dir, "google-crowd")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	argv, err := service(l.dir, "google-crowd", "pam_google_authenticator.so user=root secret="+dir+"/${USER}")
	if err != nil {
		return err
	}
	counters := make([]uint64, crowdSize)
	for n := range counters {
		state := fmt.Sprintf("%s\n\" WINDOW_SIZE 10\n\" HOTP_COUNTER 1\n", peerBase32)
		if err := os.WriteFile(filepath.Join(dir, userName(n)), []byte(state), 0o600); err != nil {
			return err
		}
	}
	l.googleCrowd = newCrowd("pam_google_authenticator: HOTP", argv, func(user int) (string, error) {
		counters[user]++
		code, err := hotp.GenerateCode(peerBase32, counters[user])
		return code + "\n", err
	})
	return nil
}

// parallel lets the crowds take turns.
func (l *logins) parallel(rounds int) error {
	for range crowdTurns {
		for _, c := range []*crowd{l.moduleCrowd, l.googleCrowd} {
			if err := c.run(max(1, rounds/crowdTurns)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *report) crowds(l *logins) {
	r.section(fmt.Sprintf("%d loops of logins side by side, each of another user", crowdSize))
	module, google := l.moduleCrowd.sample(), l.googleCrowd.sample()
	for name, s := range map[string]*sample{l.module.name: module, "pam_google_authenticator: HOTP": google} {
		r.due(name, s)
	}
	r.rate(l.module.name, module.rate())
	r.rate("pam_google_authenticator: HOTP", google.rate())
	r.atMost("false refusals of pam_factord", float64(module.errors), 0)
	r.atLeast("pam_factord / pam_google_authenticator", module.rate()/google.rate(), 1.3)
}
