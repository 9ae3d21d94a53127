package apparmor_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
)

// AppArmor's own parser takes the profiles, under the names by which the units ask for them.
// What they allow is tried on a whole machine (packaging/vm/tests/50-apparmor.sh).
func TestProfiles(t *testing.T) {
	parser := factordtest.NeedProgram(t, "apparmor_parser")
	for name, unit := range map[string]string{"factord": "factord.service", "factord-usb": "factord-usb@.service"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("@PREFIX@"), []byte("/usr"))
		for _, mode := range [][]string{{"--skip-kernel-load", "--skip-cache", "--warn=all"}, {"--names"}} {
			cmd := exec.Command(parser, append(mode, "--base=/etc/apparmor.d")...)
			cmd.Stdin = bytes.NewReader(text)
			var complaints strings.Builder
			cmd.Stderr = &complaints
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s: apparmor_parser %v: %v\n%s", name, mode, err, complaints.String())
			}
			if mode[0] == "--names" && string(out) != name+"\n" {
				t.Errorf("%s: it has the profiles %q", name, out)
			}
		}
		if bytes.Contains(text, []byte("flags=")) {
			t.Errorf("%s: it has flags, so it may not enforce", name)
		}
		settings, err := os.ReadFile("../systemd/" + unit)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(settings, []byte("\nAppArmorProfile=-"+name+"\n")) {
			t.Errorf("%s does not ask for the profile %s", unit, name)
		}
	}
}
