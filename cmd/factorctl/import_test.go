package main_test

import (
	"os"
	"path/filepath"
	"testing"
)

// Who imports sees which key became which, by what is written on it.
func TestImportSaysWhichKey(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys.csv")
	if err := os.WriteFile(keys, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := serve(t, reply(`D {"imported":[{"user":"u","id":"yubico-1","name":"blue","detail":{"public-id":"cbcb","serial":"4711"}},`+
		`{"user":"v","id":"x-1","name":"x-1"}],"left":1}%0A`, "OK"))
	run(t, "", "import", keys, "--user", "u", "--socket", path).want(t, 0,
		"u yubico-1 \"blue\"  public-id cbcb, serial 4711\nv x-1 \"x-1\"\n2 imported, 1 of the file are nobody's.\n", "")
}
