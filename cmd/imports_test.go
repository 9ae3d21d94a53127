package cmd_test

import (
	"os/exec"
	"strings"
	"testing"
)

const (
	module = "github.com/factord/factord/"
	dbus   = "github.com/godbus/"
)

// Imports run one way: what stands on the left must not depend on what stands
// on the right. A name that ends in "/" is a whole tree.
func TestImportsRunOneWay(t *testing.T) {
	for _, rule := range []struct{ from, never string }{
		{"daemon/wire", "net fmt " + module},
		{"daemon/policy", "net net/http " + module},
		{"daemon/factor", module},
		{"daemon/factor/totp", module + "daemon/session " + module + "daemon/store " + module + "daemon/policy " + module + "daemon/wire " + module + "conf"},
		{"daemon/factor/backup", module + "daemon/session " + module + "daemon/store " + module + "daemon/policy " + module + "daemon/wire " + module + "conf"},
		{"daemon/qr", module},
		{"daemon/factor/duo/authapi", module + "daemon/session " + module + "daemon/store " + module + "daemon/policy " + module + "daemon/wire " + module + "conf"},
		{"daemon/factor/yubico", module + "daemon/session " + module + "daemon/store " + module + "daemon/policy " + module + "daemon/wire " + module + "conf"},
		{"daemon/factor/key", module + "daemon/session " + module + "daemon/store " + module + "daemon/policy " + module + "daemon/device " + module + "conf"},
		{"daemon/factor/touch", module + "daemon/session " + module + "daemon/store " + module + "daemon/policy " + module + "daemon/device " + module + "conf"},
		{"daemon/factor/hmac", module + "daemon/session " + module + "daemon/store " + module + "daemon/policy " + module + "daemon/device " + module + "conf"},
		{"daemon/factor/piv/proof", module},
		{"usb/piv", module + "daemon/session " + module + "daemon/store " + module + "daemon/policy " + module + "conf net/http"},
		{"daemon/store", module + "daemon/session " + module + "daemon/policy " + module + "daemon/wire " + module + "conf net/http"},
		{"daemon/audit", module + "daemon/session " + module + "daemon/policy " + module + "daemon/factor/ " + module + "conf net/http"},
		{"daemon/session", module + "daemon/audit " + module + "conf " + module + "daemon/factor/ " + module + "daemon/logind net/http " + dbus},
		{"daemon/logind", module + "conf " + module + "daemon/factor/ net/http"},
		{"conf", module + "daemon/session " + module + "daemon/store " + module + "daemon/factor"},
		{"daemon/wire/agent", module},
		{"daemon/device", module + "daemon/session " + module + "daemon/store " + module + "daemon/policy " + module + "conf " + module + "usb " + module + "usb/ net/http"},
		{"usb", "net/http os/exec " + module + "daemon/session " + module + "daemon/store " + module + "daemon/policy " + module + "daemon/factor " + module + "conf"},
		{"cmd/factord-usb", "net/http " + dbus + " " + module + "daemon " + module + "daemon/session " + module + "daemon/store " + module + "daemon/policy " + module + "daemon/factor " +
			module + "daemon/factor/key " + module + "daemon/device " + module + "conf " + module + "helper"},
		{"cmd/factord", module + "usb " + module + "usb/ " + module + "helper " + module + "daemon/factordtest"},
		{"usb/hid", "net os/user runtime/cgo " + module},
		{"usb/otp", "net os/user runtime/cgo " + module + "daemon/ " + module + "conf"},
		{"usb/hid/libusb", "net os/user " + module + "daemon/ " + module + "conf"},
		{"usb/virtual/cmd", module + "daemon/ " + module + "conf " + module + "helper " + module + "usb/hid " + module + "usb/ctap"},
		{"cmd/factor-helper", "net fmt net/http os/user " + dbus + " " + module + "daemon/session " + module + "conf"},
		{"cmd/factorctl", "net/http " + dbus + " " + module + "daemon/session " + module + "daemon/store " + module + "daemon/factor"},
	} {
		out, err := exec.Command("go", "list", "-deps", module+rule.from).Output()
		if err != nil {
			t.Fatalf("%s: %v", rule.from, err)
		}
		for _, dep := range strings.Fields(string(out)) {
			for _, never := range strings.Fields(rule.never) {
				tree := strings.HasSuffix(never, "/") && strings.HasPrefix(dep, never)
				if dep != module+rule.from && (dep == never || tree) {
					t.Errorf("%s depends on %s", rule.from, dep)
				}
			}
		}
	}
}
