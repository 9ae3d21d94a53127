package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Who finds that others could read the key is told how to get another one.
func TestKeyOthersCouldRead(t *testing.T) {
	dir := t.TempDir()
	if _, err := MakeKey(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, KeyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKey(dir, ""); err == nil || !strings.Contains(err.Error(), "factord --rekey") {
		t.Error(err)
	}
}
