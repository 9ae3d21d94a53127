package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// Who the audit tests log in.
const person = "nobody"

var login = wire.Auth{User: person, Service: "sudo", RHost: "192.0.2.7", First: true}

// await waits for what must be true at once, or nearly.
func await(t *testing.T, what string, until func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !until(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// withAudit is a configuration with a section [audit].
func withAudit(lines ...string) string {
	return "[audit]\n" + strings.Join(lines, "\n") + "\n" + factordtest.AnyRule
}

// checkChain fails the test unless each line with a seq has the hash of the one
// before, and their numbers have no gap. It returns those lines and the others.
func checkChain(t *testing.T, path string) (chained, others []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var before []byte
	var seq float64
	for line := range bytes.Lines(text) {
		line, whole := bytes.CutSuffix(line, []byte("\n"))
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil || !whole {
			t.Fatalf("%s: %q: %v", path, line, err)
		}
		if _, ok := fields["seq"]; !ok {
			if _, ok := fields["prev"]; ok {
				t.Errorf("a prev without a seq: %s", line)
			}
			others = append(others, string(line))
			continue
		}
		var link struct {
			Seq  float64
			Prev []byte
		}
		json.Unmarshal(line, &link)
		if hash := sha256.Sum256(before); len(chained) > 0 && (link.Seq != seq+1 || !bytes.Equal(link.Prev, hash[:])) {
			t.Errorf("%s: the chain breaks at %s", path, line)
		}
		before, seq = line, link.Seq
		chained = append(chained, string(line))
	}
	return chained, others
}

func lines(path string) int {
	text, _ := os.ReadFile(path)
	return bytes.Count(text, []byte("\n"))
}

func lost(p *factordtest.Process, name string) float64 {
	counts, _ := p.MustCall(wire.VerbStatus)[0]["audit_lost"].(map[string]any)
	n, ok := counts[name].(float64)
	if !ok {
		return -1
	}
	return n
}

// The file has each record as it stands in the chain, whatever becomes of the
// file's name meanwhile.
func TestAuditFile(t *testing.T) {
	factordtest.NeedRoot(t)
	dir := factordtest.SmallDisk(t, "1m")
	file := filepath.Join(dir, "audit.jsonl")
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{Config: withAudit(`file = "` + file + `"`)})
	codes := p.MustEnroll(person, "backup").Codes
	p.Login(-1, login, codes[0])
	p.Login(-1, login, codes[0], "wrong", "wrong")
	p.Login(-1, wire.Auth{User: person, Service: "sudo", Conv: wire.ConvInfo}) // can't be asked
	await(t, "copies", func() bool { return lines(file) >= 6 })
	chained, others := checkChain(t, file)
	if len(chained) != 5 || len(others) != 1 || !strings.Contains(others[0], `"kind":"refused"`) {
		t.Errorf("%d records, others: %q", len(chained), others)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	for i, record := range p.MustCall("AUDIT") {
		want, _ := json.Marshal(record)
		var have map[string]any
		json.Unmarshal([]byte(chained[i]), &have)
		if have, _ := json.Marshal(have); !bytes.Equal(have, want) {
			t.Errorf("copy:   %s\nrecord: %s", have, want)
		}
	}

	// logrotate without copytruncate, with and without create
	os.Rename(file, file+".1")
	p.Login(-1, login, codes[1])
	await(t, "a new file", func() bool { return lines(file) == 1 })
	os.Rename(file, file+".0")
	if err := os.WriteFile(file, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	p.Login(-1, login, codes[2])
	await(t, "the file that was made", func() bool { return lines(file) == 1 })
	joined := filepath.Join(dir, "joined")
	var all []byte
	for _, name := range []string{file + ".1", file + ".0", file} {
		text, _ := os.ReadFile(name)
		all = append(all, text...)
	}
	os.WriteFile(joined, all, 0o600)
	if chained, _ := checkChain(t, joined); len(chained) != 7 {
		t.Errorf("%d records after the rotation", len(chained))
	}

	other := filepath.Join(dir, "other.jsonl")
	p.Configure(withAudit(`file = "` + other + `"`))
	p.Hangup()
	p.Login(-1, login, codes[3])
	await(t, "the other file", func() bool { return lines(other) == 1 })
	if strings.Contains(p.Log(), "are lost") {
		t.Error("copies are lost")
	}
	p.Stop()
}

// Without a journal verdicts are lines of text, as ever.
func TestAuditText(t *testing.T) {
	factordtest.NeedRoot(t)
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{})
	code := p.MustEnroll(person, "backup").Codes[0]
	p.Login(-1, login, code)
	p.Login(-1, wire.Auth{User: "no-such-user", Service: "sudo"}, "wrong")
	p.Login(-1, wire.Auth{User: person, Service: "sudo", Conv: wire.ConvInfo})
	p.Stop()
	for _, want := range []string{
		`msg=enroll user=nobody factor=backup id=backup-1 why="name \"backup-1\"" peer_uid=0`,
		`msg=verdict verdict=allow user=nobody service=sudo rhost=192.0.2.7 basis=factor rule=any factor=backup us=`,
		`msg=answer user=no-such-user service=sudo reason=denied rule=any why=`,
		`msg=verdict verdict=deny user=nobody service=sudo reason=denied rule=any why="conv=info can't ask`,
	} {
		if !strings.Contains(p.Log(), want) {
			t.Errorf("no %q", want)
		}
	}
	if t.Failed() {
		t.Log(p.Log())
	}
}

// In strict mode a copy that can't be written refuses, and says so to root; when
// the file can be written again, people get in without a restart.
func TestStrict(t *testing.T) {
	factordtest.NeedRoot(t)
	for name, broken := range map[string]struct {
		spoil, mend func(t *testing.T, dir string)
	}{
		"full disk": {
			func(t *testing.T, dir string) {
				os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 64<<10), 0o600)
			},
			func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "ballast")) },
		},
		"writable for others": {
			func(t *testing.T, dir string) { os.Chmod(filepath.Join(dir, "audit.jsonl"), 0o666) },
			func(t *testing.T, dir string) { os.Chmod(filepath.Join(dir, "audit.jsonl"), 0o600) },
		},
		"folder gone": {
			func(t *testing.T, dir string) {
				os.Rename(filepath.Join(dir, "audit.jsonl"), filepath.Join(dir, "old"))
				os.Symlink("old", filepath.Join(dir, "audit.jsonl"))
			},
			func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "audit.jsonl")) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			small := factordtest.SmallDisk(t, "16k")
			file := filepath.Join(small, "audit.jsonl")
			// The page that the file has is nearly full: a later line fits half.
			if err := os.WriteFile(file, []byte(`{"pad":"`+strings.Repeat("x", 3100)+"\"}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			p := factordtest.StartProcess(t, factordtest.ProcessOptions{Config: withAudit("strict = true", `file = "`+file+`"`)})
			codes := p.MustEnroll(person, "backup").Codes
			if v := p.Login(-1, login, codes[0]); !v.Allow {
				t.Fatalf("with the file: %+v", v)
			}
			broken.spoil(t, small)
			denied := 0
			for i := 1; denied < 2 && i < 7; i++ { // the page has room for another
				begun := time.Now()
				v := p.Login(-1, login, codes[i])
				if !v.Allow {
					denied++
				}
				if !v.Allow && (v.Reason != wire.ReasonUnavailable || v.Text == "" || time.Since(begun) > 2*time.Second) {
					t.Errorf("%+v after %v", v, time.Since(begun))
				}
			}
			if denied < 2 || lost(p, file) < 2 {
				t.Errorf("%d denied, %v lost", denied, lost(p, file))
			}
			await(t, "word of the refusals", func() bool { return strings.Count(p.Log(), "not copied: "+file) == 2 })
			if n := strings.Count(p.Log(), "audit copies are lost"); n != 1 {
				t.Errorf("%d log lines of the loss\n%s", n, p.Log())
			}
			var err error
			for i := 0; i < 9 && err == nil; i++ { // a shorter record, which may still fit
				_, err = factordtest.Call(p.Socket, -1, "UNLOCK user="+person)
			}
			if err == nil || !strings.Contains(err.Error(), "this was done, but there is no copy") {
				t.Errorf("unlock: %v", err)
			}
			broken.mend(t, small)
			letIn(t, p, codes[7:])
			await(t, "word of the recovery", func() bool { return strings.Contains(p.Log(), "audit copies arrive again") })
			if _, err := os.Stat(file); err == nil && name == "full disk" {
				checkLines(t, file)
			}
			p.Stop()
		})
	}
}

// letIn fails the test unless one of the codes lets in: in strict mode a machine
// that stands still for 100 ms refuses.
func letIn(t *testing.T, p *factordtest.Process, codes []string) {
	t.Helper()
	var v wire.Verdict
	for _, code := range codes {
		if v = p.Login(-1, login, code); v.Allow {
			return
		}
	}
	t.Errorf("refused though copies can be written again: %+v", v)
}

// checkLines fails the test unless each line is a record: none was cut off, and
// none is glued to another.
func checkLines(t *testing.T, path string) {
	t.Helper()
	text, _ := os.ReadFile(path)
	for line := range bytes.Lines(text) {
		if !json.Valid(line) || !bytes.HasSuffix(line, []byte("}\n")) {
			t.Errorf("no record: %q", line)
		}
	}
}

// Strict with nowhere to go does not start, and no reload gets there.
func TestStrictWithNowhere(t *testing.T) {
	factordtest.NeedRoot(t)
	p := factordtest.Prepare(t, factordtest.ProcessOptions{Config: withAudit("strict = true")})
	p.Launch(p.Args()...)
	if code := p.Wait(10 * time.Second); code != 1 || !strings.Contains(p.Log(), "hint: write file = ") {
		t.Errorf("exit %d\n%s", code, p.Log())
	}
	p.Configure(withAudit("strict = true", `file = "/proc/nowhere/audit.jsonl"`))
	p.Launch(p.Args()...)
	if code := p.Wait(10 * time.Second); code != 1 || !strings.Contains(p.Log(), "hint: the folder must be there") {
		t.Errorf("exit %d\n%s", code, p.Log())
	}

	p.Configure(factordtest.AnyRule)
	p.Start()
	code := p.MustEnroll(person, "backup").Codes[0]
	for _, bad := range []string{"strict = true", `file = "/proc/nowhere/audit.jsonl"`} {
		p.Configure(withAudit(bad))
		p.Hangup()
		if why, _ := p.MustCall(wire.VerbStatus)[0]["config_refused"].(string); !strings.Contains(why, "hint: ") {
			t.Errorf("%s: status says %q", bad, why)
		}
	}
	if v := p.Login(-1, login, code); !v.Allow {
		t.Errorf("%+v", v)
	}
	p.Stop()

	// A file that can't be written refuses nobody if copies may be lost.
	p.Configure(withAudit(`file = "/proc/nowhere/audit.jsonl"`))
	p.Start()
	code = p.MustEnroll(person, "backup").Codes[0]
	if v := p.Login(-1, login, code); !v.Allow {
		t.Errorf("%+v", v)
	}
	await(t, "the losses", func() bool { return lost(p, "/proc/nowhere/audit.jsonl") >= 2 })
	p.Stop()
}
