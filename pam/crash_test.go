package pam_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// writes are the system calls by which bbolt changes its file.
const writes = "pwrite64,fdatasync,fsync,ftruncate"

// hold is how long strace holds each of them back before it begins: the time to
// kill factord between two of them.
const hold = "30000" // microseconds

var done = regexp.MustCompile(`(?m)\) += [0-9]`)

// traced is a factord under strace.
type traced struct {
	*lab
	log string
	was int // calls done before the login
}

// startTraced starts factord under strace. Its process is the one the test has
// started (-D), so that killing it is what kill -9 does.
func (l *lab) startTraced() *traced {
	l.t.Helper()
	tr := &traced{lab: l, log: filepath.Join(l.Dir, "strace")}
	os.Remove(tr.log)
	l.Launch(append([]string{"strace", "-D", "-f", "-q", "-o", tr.log, "-e", "trace=" + writes, "-e", "inject=" + writes + ":delay_enter=" + hold}, l.Args()...)...)
	l.Await()
	tr.was = tr.done()
	return tr
}

// done is how many of the calls have returned.
func (tr *traced) done() int {
	text, _ := os.ReadFile(tr.log)
	return len(done.FindAll(text, -1)) - tr.was
}

// killedLogin logs in and kills factord as soon as n calls are done. It returns
// whether the client heard an allow, and how many calls there were.
func (tr *traced) killedLogin(answer string, n int) (allowed bool, calls int) {
	tr.t.Helper()
	c := dial(tr.t, tr.Socket, -1)
	c.auth(tr.auth("sudo"))
	c.answer(answer)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		v, err := c.tryVerdict()
		allowed = err == nil && v.Allow
	}()
	for over := false; tr.done() < n && !over; time.Sleep(time.Millisecond) {
		select {
		case <-heard:
			over = true // the verdict comes after the last write
		default:
		}
	}
	tr.Kill9()
	<-heard
	return allowed, tr.done()
}

// kill -9 between any two writes of a login leaves a state that opens, with a
// whole audit chain, in which the code is spent if the client heard an allow, and
// works at most once in any case.
func TestKillAtEveryWrite(t *testing.T) {
	t.Parallel()
	factordtest.NeedRoot(t)
	factordtest.NeedProgram(t, "strace")
	l := newLab(t, factordtest.ProcessOptions{})
	answers := map[string][]string{"hotp": l.counterCodes(20), "totp": l.codes, "backup": l.MustEnroll(l.who.Name, "backup").Codes}
	for _, kind := range []string{"hotp", "totp", "backup"} {
		for n := 0; ; n++ {
			answer := answers[kind][n]
			l.Stop()
			tr := l.startTraced()
			allowed, calls := tr.killedLogin(answer, n)
			l.Start()
			again := 0
			for range 2 {
				if v := l.Login(-1, l.auth("sudo"), answer); v.Allow {
					again++
				}
			}
			l.audit()
			l.MustCall("UNLOCK user=" + l.who.Name)
			t.Logf("%s: killed after %d calls of %d, client heard allow: %v, accepted afterwards: %d", kind, calls, n, allowed, again)
			if allowed && again > 0 || again > 1 {
				t.Errorf("%s: killed after %d writes: a code is accepted twice", kind, calls)
			}
			if calls < n {
				if !allowed {
					t.Errorf("%s: a login that nobody disturbs is refused", kind)
				}
				break
			}
		}
	}
	pamtest.Await(t, "a last login", 5*time.Second, func() bool { return l.Login(-1, l.auth("sudo"), l.codes[len(l.codes)-1]).Allow })
}
