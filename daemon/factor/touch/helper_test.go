package touch_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// helper is somebody at a terminal with factor-helper, which watches the connection while
// it asks.
func (d *desk) helper() *pamtest.Terminal {
	d.t.Helper()
	x := pamtest.NewTerminal(d.t)
	x.Start(&pamtest.Account{Name: "alice", UID: aliceUID, GID: aliceUID},
		filepath.Join(factordtest.Build(d.t), "factor-helper"), "--socket", d.Socket, "check", "--service", "lock")
	return x
}

// On a terminal the touch ends the question, and so does a code.
func TestHelperOnTerminal(t *testing.T) {
	d := newDesk(t)
	d.enrollOTP()
	d.mustEnrollTouch()
	t.Run("touch", func(t *testing.T) {
		x := d.helper()
		x.Expect("Touch YubiKey 12345678, or type a code: ")
		d.keys.Touch(serial)
		if status := x.Wait(); status != 0 {
			t.Errorf("exit %d: %s", status, x.Screen())
		}
	})
	t.Run("code", func(t *testing.T) {
		x := d.helper()
		x.Expect("or type a code: ")
		x.Type(d.otp.Touch() + "\r")
		if status := x.Wait(); status != 0 {
			t.Errorf("exit %d: %s", status, x.Screen())
		}
		d.Wait(func() bool { return len(d.keys.Waiting()) == 0 })
	})
	t.Run("wrong code, then touch", func(t *testing.T) {
		x := d.helper()
		x.Expect("or type a code: ")
		x.Type("000000\r")
		x.Expect("wrong code")
		x.Expect("or type a code: ")
		d.keys.Touch(serial)
		if status := x.Wait(); status != 0 {
			t.Errorf("exit %d: %s", status, x.Screen())
		}
	})
	t.Run("Ctrl-C", func(t *testing.T) {
		x := d.helper()
		x.Expect("or type a code: ")
		x.Type("\x03")
		if status := x.Wait(); status == 0 {
			t.Errorf("exit %d: %s", status, x.Screen())
		}
		d.Wait(func() bool { return len(d.keys.Waiting()) == 0 })
	})
	t.Run("plugged in while it asks", func(t *testing.T) {
		d.keys.Pull(serial)
		x := d.helper()
		x.Expect("Plug in YubiKey 12345678, then touch it, or type a code: ")
		d.otp.Plug()
		d.plug()
		d.armed()
		d.keys.Touch(serial)
		if status := x.Wait(); status != 0 || strings.Contains(x.Screen(), "wrong") {
			t.Errorf("exit %d: %s", status, x.Screen())
		}
	})
}
