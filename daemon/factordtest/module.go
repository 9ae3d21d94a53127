package factordtest

import (
	"fmt"
	"os"
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
	top := string(root[:len(root)-1])
	if err := dependOn(filepath.Join(top, "pam/*.[ch]"), filepath.Join(top, "pam/testdata/*.c"), filepath.Join(top, "Makefile")); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "pam_factord.so")
	cmd := exec.Command("make", "-s", "-C", top, "module", "MODULE="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building pam_factord.so: %w\n%s", err, out)
	}
	return path, nil
})

// dependOn looks at the files that a test's commands read: "go test" would else
// take the result of a run before they changed.
func dependOn(patterns ...string) error {
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
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
