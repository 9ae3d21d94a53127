package pam_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// SIGTERM refuses whoever is being asked, and factord ends cleanly.
func TestStopDuringAttempt(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	c := dial(t, l.Socket, -1)
	c.auth(l.auth("sudo"))
	begun := time.Now()
	l.Signal(syscall.SIGTERM)
	if v := c.verdict(); v.Allow || v.Reason != wire.ReasonUnavailable {
		t.Errorf("%+v", v)
	}
	if code := l.Wait(10 * time.Second); code != 0 || time.Since(begun) > 3*time.Second {
		t.Errorf("exit %d after %v", code, time.Since(begun))
	}
}

// SIGHUP puts a good configuration in force, for attempts that begin then, and
// refuses a bad one.
func TestHangup(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	allowed := func(when, service string, want wire.Reason) {
		t.Helper()
		v := l.Login(-1, l.auth(service), l.code())
		if v.Allow != (want == wire.ReasonNone) || !v.Allow && v.Reason != want {
			t.Errorf("%s: %+v", when, v)
		}
	}
	allowed("at first", "sudo", wire.ReasonNone)
	for _, bad := range []string{"[[rule]]\nfactors = [\"totp\"", "[[rule]]\nfactors = [\"retina\"]\n", "[[rule]]\nmode = \"exempt\"\nfactors = [\"totp\"]\n"} {
		l.Configure(bad)
		l.Hangup()
		allowed("after a bad configuration", "sudo", wire.ReasonNone)
	}
	open := dial(t, l.Socket, -1)
	open.auth(l.auth("sudo"))
	l.Configure("[totp]\nwindow = 10\n[[rule]]\nservices = [\"sshd\"]\nfactors = [\"totp\"]\n")
	l.Hangup()
	allowed("after a good one", "sudo", wire.ReasonNoRule)
	allowed("after a good one", "sshd", wire.ReasonNone)
	open.answer(l.code())
	if v := open.verdict(); !v.Allow {
		t.Errorf("an attempt from before the new configuration: %+v", v)
	}
	l.Configure("")
	l.Hangup()
	allowed("after an empty one", "sshd", wire.ReasonNoRule)
}
