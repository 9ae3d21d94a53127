package systemd_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
)

// unit reads the settings of a unit file; what is given twice is joined.
func unit(t *testing.T, name string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), "="); found && !strings.HasPrefix(key, "#") {
			settings[key] = strings.TrimSpace(settings[key] + " " + value)
		}
	}
	return settings
}

// What must stand in the units, and what would break factord if it did.
func TestUnits(t *testing.T) {
	for name, tc := range map[string]struct {
		want   map[string]string
		absent []string
	}{
		"factord.socket": {
			want: map[string]string{
				"ListenStream": "/run/factord/factord.sock", "SocketMode": "0666", "DirectoryMode": "0755",
				"TriggerLimitIntervalSec": "0", // or a crash loop closes the socket for good
				"Backlog":                 "4096",
			},
			absent: []string{"Accept", "MaxConnections", "RemoveOnStop", "TriggerLimitBurst"},
		},
		"factord.service": {
			want: map[string]string{
				"Type": "notify", "User": "factord", "Requires": "factord.socket", "Restart": "on-failure",
				"StartLimitIntervalSec": "0", // or five crashes shut the door
				"LoadCredential":        "seal-key duo-skey yubico-api-key", "LimitCORE": "0", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "",
				"ProtectSystem": "strict", "StateDirectory": "factord", "StateDirectoryMode": "0700",
				"SystemCallFilter": "@system-service ~@privileged @resources", "PrivateMounts": "yes", "RemoveIPC": "yes",
				"LogsDirectory":           "factord",
				"LogRateLimitIntervalSec": "0",                               // or journald drops copies of audit records
				"ExecReload":              "/bin/sh -c 'kill -HUP $MAINPID'", // no program that is in a package of its own
			},
			absent: []string{
				"RuntimeDirectory", // removes the socket's folder at idle exit
				"PrivateUsers",     // makes every peer's uid nobody's
				"PrivateNetwork",   // the socket's peers are fine with it, Duo and LDAP are not
				"DynamicUser", "ProcSubset", "StartLimitBurst",
			},
		},
		"factord-usb.socket": {
			want: map[string]string{
				"ListenStream": "/run/factord/usb.sock", "Accept": "yes", "SocketMode": "0660", "SocketUser": "root", "SocketGroup": "factord",
				"MaxConnections": "32", "TriggerLimitIntervalSec": "0", "DirectoryMode": "0755",
			},
			absent: []string{"MaxConnectionsPerSource"}, // it is one user who connects
		},
		"factord-usb@.service": {
			want: map[string]string{
				"User": "factord-usb", "ExecStart": "-@PREFIX@/libexec/factord-usb", "ExecStopPost": "+@PREFIX@/libexec/factord-usb --repair",
				"StartLimitIntervalSec": "0", "PrivateNetwork": "yes", "RestrictAddressFamilies": "AF_UNIX AF_NETLINK", // libusb needs the latter
				"DevicePolicy": "closed", "DeviceAllow": "char-hidraw rw char-input r char-usb_device rw",
				"CapabilityBoundingSet": "", "AmbientCapabilities": "", "NoNewPrivileges": "yes", "LimitCORE": "0", "ProtectSystem": "strict",
				"StandardInput": "null", "StandardOutput": "null",
				"RuntimeDirectory": "factord-usb", "RuntimeDirectoryMode": "0700", // or anybody could lock the keys
				"RuntimeDirectoryPreserve": "yes", // or the first process that ends takes the others' locks away
				"IPAddressDeny":            "any", "ProtectHome": "yes", "ProcSubset": "pid",
				"InaccessiblePaths": "-/var/lib/factord -/etc/factord -/etc/credstore -/dev/shm -/dev/mqueue", // the last two else are everybody's
				"SystemCallFilter":  "@system-service ~@privileged @resources", "PrivateMounts": "yes", "RemoveIPC": "yes",
			},
			absent: []string{
				"PrivateDevices", // hides the keys
				"PrivateUsers",   // makes every peer's uid nobody's
				"Type", "Restart", "SupplementaryGroups", "StateDirectory", "ReadWritePaths", "DynamicUser", "LoadCredential",
			},
		},
	} {
		got := unit(t, name)
		for key, want := range tc.want {
			if value, there := got[key]; !there || value != want {
				t.Errorf("%s: %s=%s, want %q", name, key, value, want)
			}
		}
		for _, key := range tc.absent {
			if _, there := got[key]; there {
				t.Errorf("%s: must not have %s=", name, key)
			}
		}
	}
	tmpfiles, err := os.ReadFile("factord.tmpfiles")
	if err != nil || !strings.Contains(string(tmpfiles), "d /run/factord 0755 root root") {
		t.Errorf("nobody makes /run/factord: %s, %v", tmpfiles, err)
	}
}

// systemd itself takes the files as "make install" would install them.
func TestVerify(t *testing.T) {
	analyze := factordtest.NeedProgram(t, "systemd-analyze")
	dir := factordtest.OpenDir(t)
	factordtest.USB(t)
	for _, name := range []string{"sbin", "libexec"} {
		if err := os.Symlink(factordtest.Build(t), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	var files []string
	for _, name := range []string{"factord.service", "factord.socket", "factord-usb@.service", "factord-usb.socket"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		text := strings.ReplaceAll(string(data), "@PREFIX@", dir)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	cmd := exec.Command(analyze, append([]string{"verify", "--man=no"}, files...)...)
	cmd.Env = append(os.Environ(), "SYSTEMD_LOG_LEVEL=warning")
	out, err := cmd.CombinedOutput()
	if complaints := about(string(out), dir); err != nil || len(complaints) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// What systemd makes of how far the units are open; the figures of 252. Each directive
// that is missing has its reason in the unit.
func TestSecurity(t *testing.T) {
	analyze := factordtest.NeedProgram(t, "systemd-analyze")
	for name, limit := range map[string]string{"factord.service": "12", "factord-usb@.service": "6"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(data), "@PREFIX@", "/usr")), 0o644); err != nil {
			t.Fatal(err)
		}
		// The threshold is ten times the figure.
		out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", "--threshold="+limit, path).CombinedOutput()
		if err != nil {
			t.Errorf("%s is more open than %s/10: %v\n%s", name, limit, err, out)
		}
	}
}

// about are the lines that speak of files in dir: the machine's own units may
// have faults that are not ours.
func about(out, dir string) []string {
	lines := map[string]bool{}
	for line := range strings.Lines(out) {
		if strings.Contains(line, dir) || strings.Contains(line, "factord") {
			lines[line] = true
		}
	}
	return slices.Collect(maps.Keys(lines))
}
