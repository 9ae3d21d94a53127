package factordtest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Module returns pam_factord.so as it is shipped, built once for a test process.
func Module(t testing.TB) string {
	t.Helper()
	path, err := moduleFile()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var moduleFile = sync.OnceValues(func() (string, error) {
	dir, err := programs()
	if err != nil {
		return "", err
	}
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("looking for the sources: %w", err)
	}
	path := filepath.Join(dir, "pam_factord.so")
	cmd := exec.Command("make", "-s", "-C", string(root[:len(root)-1]), "module", "MODULE="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building pam_factord.so: %w\n%s", err, out)
	}
	return path, nil
})
