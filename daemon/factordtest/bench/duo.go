package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// duoCrowd is how many people log in at once.
	duoCrowd = 64
	// perSocket is how many pushes of one round go over the socket.
	perSocket = 64 * 24
	// codes is how many logins with a code its p99 is of.
	codes = 1200
)

// benchDuo measures pushes: factord and Debian's login_duo ask the same simulator.
func benchDuo(r *report, bin, dir string, rounds int) error {
	if err := os.Chmod(dir, 0o755); err != nil { // login_duo reads the certificate without root's rights
		return err
	}
	d, err := startDuo(filepath.Join(dir, "duosim"))
	if err != nil {
		return fmt.Errorf("starting the Duo simulator: %w", err)
	}
	defer d.stop()
	f, err := startWith(bin, filepath.Join(dir, "duo"), d.config(), 1000)
	if err != nil {
		return err
	}
	defer f.stop()
	sasl, err := startSaslauthd(filepath.Join(dir, "saslauthd"))
	if err != nil {
		return err
	}
	defer sasl.stop()
	p, err := newPushes(f, d, sasl, dir, filepath.Join(bin, "pam_factord.so"))
	if err != nil {
		return err
	}
	if err := takeTurns(rounds, []*process{p.floor, p.module, p.peer}); err != nil {
		return err
	}
	for range crowdTurns {
		for _, c := range p.crowds() {
			before, err := spent(f.cmd.Process.Pid, d.cmd.Process.Pid, sasl.cmd.Process.Pid)
			if err != nil {
				return err
			}
			if err := c.run(max(1, rounds/crowdTurns/4)); err != nil {
				return err
			}
			after, err := spent(f.cmd.Process.Pid, d.cmd.Process.Pid, sasl.cmd.Process.Pid)
			if err != nil {
				return err
			}
			c.spent = c.spent.plus(after.minus(before))
		}
	}
	r.pushes(p, rounds)
	if err := p.socket(r, f); err != nil {
		return err
	}
	return r.pending(f, d)
}

// pushes are the cases of whole logins.
type pushes struct {
	floor, module, peer                *process
	floorCrowd, moduleCrowd, peerCrowd *crowd // each login is a program of its own
	serverFloor, serverCrowd           *crowd // all log in at one server
}

func (p *pushes) crowds() []*crowd {
	return []*crowd{p.floorCrowd, p.moduleCrowd, p.peerCrowd, p.serverFloor, p.serverCrowd}
}

func newPushes(f *factord, d *duo, sasl *server, dir, module string) (*pushes, error) {
	argv, err := service(dir, "push", module+" socket="+f.socket+" first")
	if err != nil {
		return nil, err
	}
	serving, err := saslService(dir, "push-server", module+" socket="+f.socket+" first conv=none")
	if err != nil {
		return nil, err
	}
	servingFloor, err := saslService(dir, "push-server-floor", "pam_permit.so")
	if err != nil {
		return nil, err
	}
	floor, err := service(dir, "push-floor", "pam_permit.so")
	if err != nil {
		return nil, err
	}
	peer, err := d.loginDuo(dir)
	if err != nil {
		return nil, err
	}
	one := func(user int) *process {
		own := slices.Clone(argv)
		own[2] = userName(user)
		// Enter, for a push.
		return &process{name: "pam_factord, factord: push", argv: own, input: func() (string, error) { return "\n", nil }}
	}
	other := func(user int) *process {
		return &process{name: "login_duo 1.11.3: push", argv: peer(user)}
	}
	none := func(user int) *process {
		own := slices.Clone(floor)
		own[2] = userName(user)
		return &process{name: "pam_permit: what pamtester itself takes", argv: own}
	}
	p := &pushes{floor: none(0), module: one(0), peer: other(0), floorCrowd: &crowd{}, moduleCrowd: &crowd{}, peerCrowd: &crowd{},
		serverFloor: sasl.crowd(servingFloor), serverCrowd: sasl.crowd(serving)}
	for n := range duoCrowd {
		p.floorCrowd.loops = append(p.floorCrowd.loops, none(n))
		p.moduleCrowd.loops = append(p.moduleCrowd.loops, one(n))
		p.peerCrowd.loops = append(p.peerCrowd.loops, other(n))
	}
	return p, nil
}

func (r *report) pushes(p *pushes, rounds int) {
	r.section(fmt.Sprintf("Whole logins with a push that is approved at once, same simulator: p50 of %d, and times pam_factord", rounds))
	for _, one := range []*process{p.floor, p.module, p.peer} {
		r.due(one.name, &one.sample)
		r.against(one.name, one.p50(), p.module.p50())
	}
	r.atLeast("login_duo / pam_factord", ratio(p.peer, p.module), 15)
	r.section(fmt.Sprintf("%d whole logins with a push at once, each of another user", duoCrowd))
	floor, module, peer, server := p.floorCrowd.sample(), p.moduleCrowd.sample(), p.peerCrowd.sample(), p.serverCrowd.sample()
	r.rate(p.floor.name, floor.rate())
	r.rate(p.module.name, module.rate())
	r.rate(p.peer.name, peer.rate())
	r.due(p.module.name, module)
	r.due(p.peer.name, peer)
	r.atLeast("pam_factord / login_duo", module.rate()/peer.rate(), 4)
	r.atMost("failed logins of pam_factord", float64(module.errors), 0)
	r.rate(saslFloor, p.serverFloor.sample().rate())
	r.rate(saslPush, server.rate())
	r.due(saslPush, server)
	r.ratio("pam_factord in saslauthd / login_duo", server.rate()/peer.rate())
	r.room(p)
}

// room says what the 64 leave room for. All are at work on the same processors, so that
// a login takes as long as its processor time, of which most is neither factord's nor
// its module's.
func (r *report) room(p *pushes) {
	floor, module, peer := p.floorCrowd.each(), p.moduleCrowd.each(), p.peerCrowd.each()
	r.section("Their processor time: the program's, starting or asking it, factord's, the simulator's")
	r.cpu(p.floor.name, floor)
	r.cpu(p.module.name, module)
	r.cpu(p.peer.name, peer)
	r.cpu(saslFloor, p.serverFloor.each())
	r.cpu(saslPush, p.serverCrowd.each())
	least := floor.programs + floor.starting + module.duo
	r.ratio("login_duo / pam_factord, if factord and its module took none", float64(peer.all())/float64(least))
}

// socket measures pushes without any program around them.
func (p *pushes) socket(r *report, f *factord) error {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(active + 4)) // blocked threads keep their place
	c := &client{socket: f.socket, code: func(user int) (name, code string) { return userName(user), "" }, asks: "service=push conv=none first=1"}
	s := series{}
	for range socketRounds {
		s.add("push", c.run(active, perSocket, allowed))
		s.add("one", c.run(1, perRound/4, allowed))
	}
	r.section("Pushes over the socket: connect, AUTH, preauth, push, its answer, durable allow")
	r.due("push", s["push"])
	r.time("one connection, p50", s["one"].p50())
	r.rate("pushes at one connection", s["one"].rate())
	r.atLeast("pushes/s at 64 connections", s["push"].rate(), 2000)
	return nil
}

// pending has everybody look at their phone at once.
func (r *report) pending(f *factord, d *duo) error {
	idle, err := f.codes()
	if err != nil {
		return err
	}
	verdicts := make([]error, people)
	var all sync.WaitGroup
	for n := range people {
		all.Go(func() { verdicts[n] = push(f.socket, waitingName(n)) })
		time.Sleep(time.Millisecond) // they come one by one
	}
	begun := time.Now()
	for {
		c, err := d.do("count")
		if err != nil {
			return err
		}
		if c.Waiting == people {
			break
		}
		if time.Since(begun) > clientTime {
			all.Wait()
			return errors.Join(fmt.Errorf("%w: %d of %d", errWaits, c.Waiting, people), errors.Join(verdicts...))
		}
		time.Sleep(10 * time.Millisecond)
	}
	resident, err := f.memory("VmRSS")
	if err != nil {
		return err
	}
	busy, err := f.codes()
	if err != nil {
		return err
	}
	answered := time.Now()
	if _, err := d.do("approve"); err != nil {
		return err
	}
	all.Wait()
	took := time.Since(answered)
	r.section(fmt.Sprintf("%d pushes of as many users pending at once, in one factord", people))
	r.atMost("resident memory in MB", float64(resident)/1024, 150)
	r.time("all let in after the phones have said yes", took)
	lost := 0
	var why error
	for _, err := range verdicts {
		if err != nil {
			lost, why = lost+1, err
		}
	}
	r.atMost(strings.TrimSpace(fmt.Sprintf("not let in %v", errorText(why))), float64(lost), 0)
	r.time("a code meanwhile, p99", busy.at(99))
	r.time("  and before", idle.at(99))
	r.due("codes", idle)
	r.due("codes meanwhile", busy)
	r.atMost("code meanwhile / before, p99", float64(busy.at(99))/float64(idle.at(99)), 3)
	return nil
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// codes measures logins with a code, one after the other.
func (f *factord) codes() (*sample, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	return (&client{socket: f.socket, code: f.next}).run(1, codes, allowed), nil
}

// pushTime bounds a push that waits: factord's own limit is 50 s.
const pushTime = 60 * time.Second

// push is a login that waits for a push, without a thread of its own.
func push(socket, name string) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(pushTime))
	var heard strings.Builder
	buf := make([]byte, 512)
	for said := false; ; {
		n, err := c.Read(buf)
		heard.Write(buf[:n])
		text := heard.String()
		switch {
		case err != nil:
			return fmt.Errorf("%w, after %q", err, text)
		case strings.Contains(text, "S VERDICT allow"):
			return nil
		case strings.Contains(text, "S VERDICT"):
			return fmt.Errorf("%w: %s", errRefused, text)
		case !said:
			said = true
			if _, err := fmt.Fprintf(c, "AUTH user=%s service=push conv=none first=1\n", name); err != nil {
				return err
			}
		}
	}
}
