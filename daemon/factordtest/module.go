package factordtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	if err := DependOn("pam/*.[ch]", "pam/testdata/*.c", "Makefile"); err != nil {
		return "", err
	}
	top, err := top()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "pam_factord.so")
	cmd := exec.Command("make", "-s", "-C", top, "module", "MODULE="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building pam_factord.so: %w\n%s", err, out)
	}
	return path, nil
})

// top is where the sources are.
var top = sync.OnceValues(func() (string, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("looking for the sources: %w", err)
	}
	return strings.TrimSpace(string(dir)), nil
})

// DependOn looks at the files, by patterns from the top of the sources, that a test's
// commands read: "go test" would else take the result of a run before they changed.
func DependOn(patterns ...string) error {
	top, err := top()
	if err != nil {
		return err
	}
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			return err
		}
		for _, file := range files {
			if _, err := os.Stat(file); err != nil {
				return err
			}
		}
	}
	return nil
}
