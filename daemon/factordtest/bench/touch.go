package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/usb/virtual/otpkey"
)

const (
	keySerial    = 12345678
	keyPublicID  = "vvccccccccbd"
	fingerSocket = "finger.sock"
	// pace is how long a key takes from one letter to the next.
	pace = 10 * time.Millisecond
	// aSession is how often a key types before it is plugged in again: it counts to 255.
	aSession    = 100
	touchMax    = 150 // ms
	touchRounds = 200
)

var keySecret = [20]byte{1, 2, 3}

// touching is a key that is plugged in here, a finger, and a factord that asks for it.
type touching struct {
	f     *factord
	types *otpkey.Key
	asked chan wish
}

// wish is a factord-usb whose key waits for the finger.
type wish struct {
	kind byte
	conn net.Conn
}

// benchTouch measures from the last that the key says to the verdict at the client: real
// factord, factord-usb as its child, and a key that is no hardware.
func benchTouch(r *report, bin, dir string, rounds int) error {
	s, err := startSeat(dir)
	if err != nil {
		return err
	}
	defer s.stop()
	t := &touching{asked: make(chan wish)}
	t.types = otpkey.New(otpkey.Config{Serial: keySerial, Short: otpkey.Slot{Types: &otpkey.Yubico{PublicID: keyPublicID}}})
	programs := filepath.Join(dir, "programs")
	if err := t.install(bin, programs); err != nil {
		return err
	}
	const rules = "[[rule]]\nservices = [\"touch\"]\nfactors = [\"touch\"]\n[[rule]]\nservices = [\"hmac\"]\nfactors = [\"hmac\"]\n"
	if t.f, err = startWith(programs, filepath.Join(dir, "touch"), rules, active); err != nil {
		return err
	}
	defer t.f.stop()
	if err := t.enrol(); err != nil {
		return err
	}
	r.section(fmt.Sprintf("Keys that are plugged in here: from the touch to the verdict, %d of each", rounds))
	for _, kind := range []string{"touch", "hmac"} {
		times := &sample{}
		for n := range rounds {
			if n%aSession == 0 {
				t.types.Plug()
			}
			took, err := t.login(kind)
			if err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			times.times = append(times.times, took)
		}
		r.time(kind+", least", times.at(0))
		r.time(kind+", p50", times.p50())
		r.atMost(kind+", p99 in ms", float64(times.at(99))/1e6, touchMax)
	}
	return nil
}

// install makes a folder in which factord finds this program as its factord-usb.
func (t *touching) install(bin, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for name, from := range map[string]string{"factord": filepath.Join(bin, "factord"), agentName: self} {
		if out, err := exec.Command("cp", from, filepath.Join(dir, name)).CombinedOutput(); err != nil {
			return fmt.Errorf("copying %s: %w: %s", from, err, out)
		}
	}
	l, err := net.Listen("unix", filepath.Join(dir, fingerSocket))
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go t.feel(conn)
		}
	}()
	return nil
}

// feel waits until a key wants the finger; those that are only looked at never do.
func (t *touching) feel(conn net.Conn) {
	for {
		var said [1]byte
		if _, err := conn.Read(said[:]); err != nil {
			return
		}
		t.asked <- wish{said[0], conn}
	}
}

func (t *touching) enrol() error {
	user := userName(0)
	call := func(touches int, command string, answers ...string) error {
		done := make(chan error, 1)
		go func() { _, err := factordtest.Call(t.f.socket, -1, command, answers...); done <- err }()
		for ; touches > 0; touches-- {
			select {
			case a := <-t.asked:
				if _, err := t.touch(a); err != nil {
					return err
				}
			case err := <-done:
				return fmt.Errorf("%s: ended early: %w", command, err)
			}
		}
		if err := <-done; err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
		return nil
	}
	if err := call(0, wire.Command(wire.VerbEnroll, "factor", "yubico", "user", user, "seed", "1", "public-id", keyPublicID),
		strings.Repeat("0", 12)+" "+strings.Repeat("0", 32)); err != nil {
		return err
	}
	if err := call(1, wire.Command(wire.VerbEnroll, "factor", "touch", "user", user)); err != nil {
		return err
	}
	return call(2, wire.Command(wire.VerbEnroll, "factor", "hmac", "user", user, "slot", "2", "seed", "1"), hex.EncodeToString(keySecret[:]), "")
}

// touch is the finger. It returns when the key has said its last.
func (t *touching) touch(a wish) (last time.Time, err error) {
	if a.kind == blinks {
		last = time.Now()
		_, err = a.conn.Write([]byte{confirms, 0})
		return last, err
	}
	_, strokes, err := t.types.Touch(false)
	if err != nil {
		return last, err
	}
	var typed []byte
	for _, s := range strokes {
		if usage := s.Report[2]; usage != 0 {
			typed = append(typed, usage, s.Report[0])
		}
	}
	enter := len(typed) - 2
	if _, err := a.conn.Write(typed[:enter]); err != nil {
		return last, err
	}
	time.Sleep(pace)
	last = time.Now()
	_, err = a.conn.Write(typed[enter:])
	return last, err
}

// login is one whole login, and how long it took from the key's last word.
func (t *touching) login(service string) (took time.Duration, err error) {
	nc, err := net.Dial("unix", t.f.socket)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(clientTime))
	in := bufio.NewReader(nc)
	if _, err := in.ReadString('\n'); err != nil {
		return 0, err
	}
	fmt.Fprintf(nc, "AUTH user=%s service=%s conv=prompt race=1 first=1\n", userName(0), service)
	line, err := in.ReadString('\n') // the question, which says that the key waits
	if err != nil || !strings.HasPrefix(line, "INQUIRE SECRET Touch") {
		return 0, fmt.Errorf("asked %q, %v", line, err)
	}
	last, err := t.touch(<-t.asked)
	if err != nil {
		return 0, err
	}
	line, err = in.ReadString('\n')
	took = time.Since(last)
	if err != nil || !strings.HasPrefix(line, "S VERDICT allow basis=factor factor="+service) {
		return 0, fmt.Errorf("heard %q, %v", line, err)
	}
	return took, nil
}
