// Package packaging_test tries the script that installs what building and testing need.
package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeGo is a go of which only "go env NAME" works.
const fakeGo = `#!/bin/sh
case $2 in
GOVERSION) echo "$FAKE_VERSION" ;;
GOTOOLCHAIN) echo "$FAKE_TOOLCHAIN" ;;
*) exit 1 ;;
esac
`

// A Go that can't build factord is refused before anything is built with it; one that
// fetches a newer one by itself is not.
func TestNeededGo(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte(fakeGo), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		version, toolchain string
		old                bool
	}{
		{"", "", true}, {"go1.19.8", "", true}, {"go1.9", "", true}, {"go1.20rc1", "", true},
		{"go1.21.0", "auto", false}, {"go1.25.3", "local+auto", false}, {"go1.25.3", "local", true},
		{"go1.26.0", "local", false}, {"go1.26rc1", "local", false}, {"go1.30", "local", false},
		{"devel go1.27-1234567", "local", false}, {"go2.0", "local", false},
	} {
		cmd := exec.Command("./need", "build")
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "FAKE_VERSION="+test.version, "FAKE_TOOLCHAIN="+test.toolchain)
		out, err := cmd.CombinedOutput()
		refused := strings.HasPrefix(string(out), "Go is too old, "+test.version) && strings.Contains(string(out), "1.26 or newer") && err != nil
		if refused != test.old || !test.old && err != nil {
			t.Errorf("%q with GOTOOLCHAIN=%s: %v\n%s", test.version, test.toolchain, err, out)
		}
	}
}
