package main_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
)

// offline runs factord for one of its other tasks, while the daemon is stopped.
func offline(t *testing.T, p *factordtest.Process, args ...string) {
	t.Helper()
	p.Stop()
	args = append(args, "--state", p.State, "--config", p.ConfigFile)
	out, err := exec.Command(filepath.Join(factordtest.Build(t), "factord"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	p.Start()
}

// The file has each record after the next start: those that factord was killed
// before it could write, and those of what was done while it did not run.
func TestFileCatchesUp(t *testing.T) {
	factordtest.NeedRoot(t)
	dir := factordtest.SmallDisk(t, "1m")
	file := filepath.Join(dir, "audit.jsonl")
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{Config: withAudit(`file = "` + file + `"`)})
	codes := p.MustEnroll(person, "backup").Codes
	await(t, "the first copy: an empty file may have been rotated", func() bool { return lines(file) == 1 })
	for i := range 5 {
		if v := p.Login(-1, login, codes[i]); !v.Allow {
			t.Fatalf("%+v", v)
		}
		p.Kill9() // mostly before the file has it
		p.Start()
		checkFile(t, p, file, i+2)
	}
	text, _ := os.ReadFile(file)
	if os.WriteFile(file, text[:len(text)/2], 0o600) != nil || len(text) == 0 { // in the middle of a line
		t.Fatal("no file")
	}
	p.Stop()
	p.Start()
	if text, _ := os.ReadFile(file); !strings.HasSuffix(string(text), "}\n") || strings.Count(string(text), `"seq":6,`) != 1 {
		t.Errorf("%s", text)
	}
	os.WriteFile(file, text, 0o600)

	backup := filepath.Join(p.Dir, "backup")
	offline(t, p, "--backup", backup)
	p.MustCall("UNLOCK user=" + person)
	p.MustCall("UNLOCK user=" + person)
	offline(t, p, "--rekey")
	checkFile(t, p, file, 9)
	p.Stop()
}

// checkFile fails the test unless the file has all records of the database, once
// each and in their order.
func checkFile(t *testing.T, p *factordtest.Process, file string, want int) {
	t.Helper()
	chained, rest := checkChain(t, file)
	if ring := len(p.MustCall("AUDIT")); len(chained) != want || ring != want || len(rest) != 0 {
		t.Fatalf("%d records and %d others, %d in the database, want %d", len(chained), len(rest), ring, want)
	}
}

// A restore sets the numbers back; its record follows the last of what it undid.
func TestFileOverARestore(t *testing.T) {
	factordtest.NeedRoot(t)
	dir := factordtest.SmallDisk(t, "1m")
	file := filepath.Join(dir, "audit.jsonl")
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{Config: withAudit(`file = "` + file + `"`)})
	p.MustCall("UNLOCK user=" + person)
	backup := filepath.Join(p.Dir, "backup")
	offline(t, p, "--backup", backup)
	p.MustCall("UNLOCK user=" + person)
	p.MustCall("UNLOCK user=" + person)
	offline(t, p, "--restore", backup)
	p.MustCall("UNLOCK user=" + person)
	p.Stop()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for line := range strings.Lines(string(text)) {
		_, kind, _ := strings.Cut(line, `"kind":"`)
		kind, _, _ = strings.Cut(kind, `"`)
		kinds = append(kinds, line[:len(`{"seq":1`)]+kind)
	}
	if got := strings.Join(kinds, " "); got != `{"seq":1unlock {"seq":2unlock {"seq":3unlock {"seq":2restore {"seq":3unlock` {
		t.Errorf("%s", got)
	}
	out, err := exec.Command(filepath.Join(factordtest.Build(t), "factorctl"), "audit", "--verify-file", file).CombinedOutput()
	for _, want := range []string{"line 4: restored from a backup: numbers begin again at 2", "5 records, 1 to 3; 1 times a backup was restored"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// Factord's own folder has no copies: neither a start, a reload nor --check-config
// takes such a file.
func TestFileInTheState(t *testing.T) {
	factordtest.NeedRoot(t)
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{})
	key := filepath.Join(p.State, "seal.key")
	before, _ := os.ReadFile(key)
	want := p.ConfigFile + ":2: file: " + key + " is in "
	p.Configure(withAudit(`file = "` + key + `"`))
	p.Hangup()
	if why, _ := p.MustCall("STATUS")[0]["config_refused"].(string); !strings.HasPrefix(why, want) {
		t.Errorf("reload: %s", why)
	}
	p.Stop()
	for _, args := range [][]string{p.Args(), {p.Args()[0], "--check-config", "--config", p.ConfigFile, "--state", p.State}} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		if cancel(); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
	if after, _ := os.ReadFile(key); string(after) != string(before) || len(before) == 0 {
		t.Errorf("the key was changed: %d bytes", len(after))
	}
}
