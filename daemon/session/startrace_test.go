package session_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// What was changed while the person held the phone: the first to commit wins.
func TestStartOvertaken(t *testing.T) {
	for name, meanwhile := range map[string]func(t *testing.T, d *factordtest.Daemon){
		"by another login": func(t *testing.T, d *factordtest.Daemon) {
			expect(t, diligent(t, d).login(t, proven), "allow factor totp")
		},
		"by root": func(t *testing.T, d *factordtest.Daemon) { d.MustEnroll("alice", "totp") },
		"by root, and taken away": func(t *testing.T, d *factordtest.Daemon) {
			d.MustEnroll("alice", "totp")
			d.MustCall("REMOVE user=alice id=totp-1")
		},
		"by root, under another name": func(t *testing.T, d *factordtest.Daemon) {
			d.Users.Alias("ALICE", "alice")
			d.MustEnroll("ALICE", "totp")
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDaemon(t, starting)
			n := &newcomer{d: d}
			before := 0
			n.answer = func(string, string) (string, bool) {
				meanwhile(t, d)
				before, _ = kept(t, d)
				return n.code(t), true
			}
			v := n.login(t, proven)
			expect(t, v, "deny denied")
			if after, _ := kept(t, d); after != before || !strings.Contains(v.Text, "log in again") {
				t.Errorf("%d records, then %d; %q", before, after, v.Text)
			}
		})
	}
}

// Who skips is let in for having no factor, and so only while that is true: with a
// key alone one could else wait at the question until its owner has one.
func TestStartSkippedTooLate(t *testing.T) {
	for name, skip := range map[string]bool{"Enter": true, "CAN": false} {
		d := newDaemon(t, starting+"mode = \"enrolled\"\n")
		n := &newcomer{d: d}
		n.answer = func(string, string) (string, bool) {
			d.MustEnroll("alice", "totp")
			return "", skip
		}
		v := n.login(t, proven)
		if expect(t, v, "deny denied"); !strings.Contains(v.Text, "log in again") {
			t.Errorf("%s: %q", name, v.Text)
		}
	}
}

// Of many that answer in the same moment one sets up its factor.
func TestStartAtOnce(t *testing.T) {
	d := newDaemon(t, starting)
	const logins = 8
	var ready, done sync.WaitGroup
	ready.Add(logins)
	allowed := make(chan bool, logins)
	for range logins {
		n := diligent(t, d)
		inner := n.answer
		n.answer = func(question, secret string) (string, bool) {
			if strings.HasPrefix(question, "First") {
				ready.Done()
				ready.Wait()
			}
			return inner(question, secret)
		}
		done.Go(func() { allowed <- n.login(t, proven).Allow })
	}
	done.Wait()
	close(allowed)
	won := 0
	for ok := range allowed {
		if ok {
			won++
		}
	}
	if count, _ := kept(t, d); won != 1 || count != 2 {
		t.Errorf("%d logins allowed, %d records", won, count)
	}
}

// deaf is a connection whose other end may have closed: what it said can be read.
type deaf struct{ net.Conn }

func (d deaf) Write(p []byte) (int, error) {
	d.Conn.Write(p)
	return len(p), nil
}

// The verdict is made before the backup codes are shown, and stays.
func TestStartLastQuestion(t *testing.T) {
	for _, end := range []string{"cancels", "is gone", "waits"} {
		t.Run(end, func(t *testing.T) {
			needRoot(t)
			d := factordtest.NewDaemon(t, factordtest.Options{Config: starting, LoginEnrolTime: 2 * time.Second})
			c, err := factordtest.Dial(d.Socket, -1)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			n := &newcomer{d: d}
			n.answer = func(question, _ string) (string, bool) {
				switch {
				case strings.HasPrefix(question, "First code"):
					return n.code(t), true
				case end == "is gone":
					c.Close()
				case end == "waits":
					d.Wait(func() bool { return d.Connections() == 0 })
				}
				return "", false
			}
			v, err := wire.Login(wire.NewLines(deaf{c}), wire.Auth{User: "alice", First: true, Conv: wire.ConvFlush}, n)
			if v.Allow != (end != "is gone") || v.Allow && (err != nil || v.Basis != wire.BasisFactor) {
				t.Errorf("%+v, %v", v, err)
			}
			d.Wait(func() bool { return d.Connections() == 0 })
			if count, _ := kept(t, d); count != 2 {
				t.Errorf("%d records", count)
			}
			d.Clock.Add(time.Minute)
			expect(t, d.Login(proven, n.code(t)), "allow factor totp")
		})
	}
}

// Who sets up a factor has longer, and not for ever.
func TestStartTime(t *testing.T) {
	needRoot(t)
	d := factordtest.NewDaemon(t, factordtest.Options{Config: starting, AttemptTime: time.Second, LoginEnrolTime: 3 * time.Second})
	begun := time.Now()
	n := &newcomer{d: d}
	n.answer = func(question, _ string) (string, bool) {
		if strings.HasPrefix(question, "First") {
			time.Sleep(time.Until(begun.Add(1200 * time.Millisecond))) // longer than other attempts have
		}
		return n.code(t), true
	}
	expect(t, n.login(t, proven), "allow factor totp")

	begun = time.Now()
	c, err := factordtest.Dial(d.Socket, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "AUTH user=bob first=1 conv=prompt\n")
	heard, _ := io.ReadAll(c)
	got := string(heard)
	if !strings.Contains(got, "S ENROLLING\n") || !strings.HasSuffix(got, "S VERDICT deny reason=timeout rule=first\nERR 107 no answer in time\n") {
		t.Errorf("%q", got)
	}
	if took := time.Since(begun); took < 3*time.Second || took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}
