package pam_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/wire"
)

// seedsDir is where packaging/fuzz-module wants the seeds of its corpus.
const seedsDir = "FACTORD_FUZZ_SEEDS"

// talks is what factord does say, for the fuzzer to start from.
var talks = []string{
	allow + " factor=totp rule=a%20b\nOK\n", "S VERDICT allow basis=audit would=101\nOK\n", "S VERDICT allow basis=exempt\nOK\n",
	deny + " rule=#1\nERR 101 wrong%20code\n", "S VERDICT deny reason=push-denied\nERR 114 denied\n",
	"S INFO Push sent to Pixel 5\nINQUIRE SECRET Passcode:%20\n" + allow + "\nOK\n",
	"INQUIRE AUTHINFO\nINQUIRE PROMPT Name:%20\nS INFO %C3%A9\nINQUIRE SECRET Passcode:%20\n" + deny + "\nERR 101 no\n",
	strings.Repeat("S INFO "+strings.Repeat("x", 990)+"\n", 13) + "INQUIRE SECRET Passcode:%20\n" + allow + "\nOK\n",
	"S INFO \n" + strings.Repeat("S INFO "+strings.Repeat("█", 330)+"\n", 14) + "INQUIRE SECRET Passcode:%20\n" + allow + "\nOK\n", // more than the cue holds
	"INQUIRE AUTHINFO\nS ENROLLING\n" + strings.Repeat("S INFO "+strings.Repeat("█▀▄", 23)+"\n", 35) + "INQUIRE PROMPT First code:%20\nINQUIRE PROMPT Done:%20\n" + allow + "\nOK\n",
	strings.Repeat("INQUIRE SECRET "+strings.Repeat("y", 980)+":%20\n", 4) + allow + "\nOK\n",
}

// The table of testdata/fuzz.c's rules for what factord says and what it does not,
// in many shapes of a login. "make fuzz-module" goes on from there.
func TestModuleFuzzSeeds(t *testing.T) {
	t.Parallel()
	dir := os.Getenv(seedsDir)
	if dir == "" {
		dir = t.TempDir()
	}
	said := append([]string{}, talks...)
	for _, lines := range grammar {
		text := strings.ReplaceAll(strings.Join(lines, ""), "<", "")
		said = append(said, strings.TrimPrefix(text, wire.Greeting+"\n"), text)
	}
	argv := []string{}
	for i, text := range said {
		if len(text) > 16000 {
			text = text[:16000]
		}
		for j, shape := range []string{"\x00\x12", "\x02\x1f", "\x06\x00", "\x08\x11", "\x18\x2f", "\x01\x17", "\x20\x25", "\x40\x33", "\x62\xd2", "\x80\x17"} {
			path := filepath.Join(dir, fmt.Sprintf("seed-%d-%d", i, j))
			if err := os.WriteFile(path, []byte(shape+text), 0o644); err != nil {
				t.Fatal(err)
			}
			argv = append(argv, path)
		}
	}
	program := made(t, "fuzz-seeds", func(path string) []string {
		return []string{"gcc", "-g", "-O1", "-std=gnu11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wall", "-Wextra", "-Werror",
			"-DSEEDS", "-o", path, "testdata/fuzz.c"}
	})
	if status, out := run(t, "", exec.Command(program, argv...)); status != 0 || out != fmt.Sprintf("%d seeds\n", len(argv)) {
		t.Errorf("exit %d: %s", status, out)
	}
}
