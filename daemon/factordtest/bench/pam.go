package main

import (
	"fmt"
	"path/filepath"
)

// usualFiles is the limit of open files that login programs mostly have.
// pam_exec closes every file up to the hard limit, one call each, so the limit
// decides what it costs.
const usualFiles = 1024

// logins are the cases of the process benchmarks.
type logins struct {
	floor, exec, helper    *process // pamtester itself, and what pam_exec decides
	module                 *process // what pam_factord.so decides
	google, oath, oathMany *process // the peers
	usage, empty           *process // no PAM: factor-helper's start, and Go's own
	execMany, helperMany   *process // exec and helper under the inherited limit
	moduleCrowd            *crowd
	googleCrowd            *crowd
	dir                    string // has the private copy of /etc
}

// benchPAM measures whole logins by pamtester, and factor-helper alone. It comes
// last: it lowers the limit of open files for good.
func benchPAM(r *report, bin, dir string, rounds int) error {
	f, err := startIn(bin, filepath.Join(dir, "pam"), 1000)
	if err != nil {
		return err
	}
	defer f.stop()
	helper := filepath.Join(bin, "factor-helper")
	l, err := newLogins(f, dir, bin)
	if err != nil {
		return err
	}
	if err := takeTurns(rounds, l.inherited()); err != nil {
		return err
	}
	many, few, err := lowerFiles(usualFiles)
	if err != nil {
		return err
	}
	if err := takeTurns(rounds, l.usual()); err != nil {
		return err
	}
	if err := l.parallel(rounds); err != nil {
		return err
	}
	replays, err := l.replay()
	if err != nil {
		return err
	}
	r.logins(l, rounds, few)
	r.ratio(fmt.Sprintf("  the same under the inherited hard limit, %d", many), ratio(l.helperMany, l.execMany))
	r.atMost("replayed codes let in", float64(replays), 0)
	r.crowds(l)
	return r.alone(l, helper)
}

// newLogins sets up every case.
func newLogins(f *factord, dir, bin string) (*logins, error) {
	l := &logins{dir: dir}
	helper := filepath.Join(bin, "factor-helper")
	if err := l.throughExec(f, helper); err != nil {
		return nil, err
	}
	if err := l.throughModule(f, filepath.Join(bin, "pam_factord.so")); err != nil {
		return nil, err
	}
	if err := l.throughPeers(f.dir); err != nil {
		return nil, err
	}
	if err := l.crowds(f); err != nil {
		return nil, err
	}
	return l, l.alone(f.dir, helper)
}

// throughModule sets up the logins of the PAM module, of a user of its own.
func (l *logins) throughModule(f *factord, module string) error {
	argv, err := service(l.dir, "module", module+" socket="+f.socket)
	if err != nil {
		return err
	}
	argv[2] = userName(crowdSize)
	next := func() (string, error) {
		_, code := f.next(crowdSize)
		return code + "\n", nil
	}
	l.module = &process{name: "pam_factord, factord: HOTP", argv: argv, input: next}
	return nil
}

// usual are the cases that take turns under the usual limit of open files, and
// inherited those that do so before, under the one this program was started with.
func (l *logins) usual() []*process {
	return []*process{l.floor, l.exec, l.helper, l.module, l.google, l.oath, l.oathMany, l.usage, l.empty}
}

func (l *logins) inherited() []*process { return []*process{l.execMany, l.helperMany} }

// throughExec sets up the floor, and the logins that pam_exec decides.
func (l *logins) throughExec(f *factord, helper string) error {
	floor, err := service(l.dir, "permit", "pam_permit.so")
	if err != nil {
		return err
	}
	exec, err := service(l.dir, "true", "pam_exec.so quiet /bin/true")
	if err != nil {
		return err
	}
	ask, err := service(l.dir, "factord", fmt.Sprintf("pam_exec.so quiet expose_authtok %s --socket %s pam", helper, f.socket))
	if err != nil {
		return err
	}
	next := func() (string, error) {
		_, code := f.next(0)
		return code + "\n", nil
	}
	l.floor = &process{name: "pam_permit, the floor", argv: floor}
	l.exec = &process{name: "pam_exec, /bin/true", argv: exec}
	l.helper = &process{name: "pam_exec, factor-helper, factord: HOTP", argv: ask, input: next}
	l.execMany = &process{name: l.exec.name + ", inherited limit", argv: exec}
	l.helperMany = &process{name: l.helper.name + ", inherited limit", argv: ask, input: next}
	return nil
}

// throughPeers sets up the logins that other modules decide by themselves.
func (l *logins) throughPeers(dir string) error {
	google := googleState{filepath.Join(dir, "google")}
	argv, err := service(l.dir, "google", "pam_google_authenticator.so user=root secret="+google.path)
	if err != nil {
		return err
	}
	l.google = &process{name: "pam_google_authenticator: TOTP, DISALLOW_REUSE", argv: argv, input: google.next}
	if l.oath, err = l.throughOath(dir, "pam_oath: HOTP, 1 user", 1); err != nil {
		return err
	}
	l.oathMany, err = l.throughOath(dir, "pam_oath: HOTP, last of 10,000 users", oathUsers)
	return err
}

func (l *logins) throughOath(dir, name string, users int) (*process, error) {
	file := fmt.Sprintf("oath-%d", users)
	path := filepath.Join(dir, file)
	next, err := oathFile(path, users)
	if err != nil {
		return nil, err
	}
	argv, err := service(l.dir, file, "pam_oath.so window=10 digits=6 usersfile="+path)
	return &process{name: name, argv: argv, input: next}, err
}

// replay logs in with each token's last code again, and returns how often that
// succeeds: a login that spends nothing would be measured for nothing.
func (l *logins) replay() (accepted int, err error) {
	for _, p := range []*process{l.helper, l.module, l.google, l.oath, l.oathMany} {
		state, _, err := p.run()
		if err != nil {
			return 0, fmt.Errorf("%s: %w", p.name, err)
		}
		if state.Success() {
			accepted++
		}
	}
	return accepted, nil
}

func (r *report) logins(l *logins, rounds int, files uint64) {
	r.section(fmt.Sprintf("Logins by pamtester, at most %d open files, soft and hard: p50 of %d, and times the floor", files, rounds))
	for _, p := range append(l.usual(), l.inherited()...) {
		r.due(p.name, &p.sample)
	}
	floor := l.floor.p50()
	for _, p := range []*process{l.floor, l.exec, l.helper, l.module, l.google, l.oath, l.oathMany} {
		r.against(p.name, p.p50(), floor)
	}
	r.atMost("factor-helper / /bin/true, both under pam_exec", ratio(l.helper, l.exec), 1.6)
	r.atMost("pam_factord / the floor", ratio(l.module, l.floor), 1.4)
	r.atMost("pam_factord / pam_google_authenticator", ratio(l.module, l.google), 1.05)
	r.atMost("pam_factord / pam_oath, 1 user", ratio(l.module, l.oath), 1)
}
