package main_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
)

// stall is longer than anybody should have to wait for factord to start.
const stall = 8 * time.Second

// stalled makes whoever opens the file wait, as on a disk whose server is gone.
func stalled(t *testing.T, file, trace string) []string {
	return []string{factordtest.NeedProgram(t, "strace"), "-D", "-f", "-qq", "-o", trace, "-P", file,
		"-e", "trace=openat", "-e", fmt.Sprintf("inject=openat:delay_enter=%d", stall.Microseconds())}
}

// A disk that hangs does not hold off the start of factord, nor a login, where
// copies may be lost.
func TestStalledFile(t *testing.T) {
	factordtest.NeedRoot(t)
	t.Parallel()
	dir := factordtest.SmallDisk(t, "1m")
	file := filepath.Join(dir, "audit.jsonl")
	p := factordtest.Prepare(t, factordtest.ProcessOptions{Config: withAudit(`file = "` + file + `"`)})
	begun := time.Now()
	p.Launch(append(stalled(t, file, filepath.Join(dir, "trace")), p.Args()...)...)
	p.Await()
	codes := p.MustEnroll(person, "backup").Codes
	if v := p.Login(-1, login, codes[0]); !v.Allow {
		t.Errorf("%+v", v)
	}
	if took := time.Since(begun); took > stall/2 {
		t.Errorf("the first login was over after %v", took)
	}
	if !strings.Contains(p.Log(), "its disk does not answer") {
		t.Error("nobody was told")
	}
	await(t, "the losses", func() bool { return lost(p, file) == 2 })
}

// Where they may not, and there is no other place, it does not start, and says so
// while somebody waits.
func TestStalledStrictFile(t *testing.T) {
	factordtest.NeedRoot(t)
	t.Parallel()
	dir := factordtest.SmallDisk(t, "1m")
	file := filepath.Join(dir, "audit.jsonl")
	p := factordtest.Prepare(t, factordtest.ProcessOptions{Config: withAudit("strict = true", `file = "`+file+`"`)})
	begun := time.Now()
	p.Launch(append(stalled(t, file, filepath.Join(dir, "trace")), p.Args()...)...)
	await(t, "the reason", func() bool { return strings.Contains(p.Log(), "its disk does not answer\nhint: ") })
	if took := time.Since(begun); took > stall*3/4 {
		t.Errorf("it was said after %v", took)
	}
	if code := p.Wait(2 * stall); code != 1 { // strace lets no thread go before its time
		t.Errorf("exit %d", code)
	}
}
