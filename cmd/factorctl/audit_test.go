package main_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

func key(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// holder is the bucket that has a record: the ring, or its newest end.
func holder(tx *bolt.Tx, seq uint64) *bolt.Bucket {
	if b := tx.Bucket([]byte("audit")); b.Get(key(seq)) != nil {
		return b
	}
	return tx.Bucket([]byte("tail"))
}

func edit(tx *bolt.Tx, seq uint64, change func(string) string) {
	b := holder(tx, seq)
	b.Put(key(seq), []byte(change(string(b.Get(key(seq))))))
}

// Whoever has root can change the database while factord does not run, and with
// the seal key even the chain; without it, audit names what was done first, and
// shows the rest all the same.
func TestTamperedAudit(t *testing.T) {
	factordtest.NeedRoot(t)
	flip := func(s string) string { return strings.Replace(s, `"nobody"`, `"nobodz"`, 1) }
	const records = 30
	for name, test := range map[string]struct {
		spoil func(tx *bolt.Tx)
		want  string
		shown int
	}{
		"flipped":             {func(tx *bolt.Tx) { edit(tx, 7, flip) }, "audit record 7 was changed", records},
		"flipped in the tail": {func(tx *bolt.Tx) { edit(tx, 29, flip) }, "audit record 29 was changed", records},
		"flipped last":        {func(tx *bolt.Tx) { edit(tx, 30, flip) }, "audit record 30 was changed", records},
		"no JSON":             {func(tx *bolt.Tx) { edit(tx, 7, func(s string) string { return "\x00" + s[1:] }) }, "audit record 7 was changed", records},
		"dropped":             {func(tx *bolt.Tx) { holder(tx, 7).Delete(key(7)) }, "audit record 7 is missing", records - 1},
		"swapped": {func(tx *bolt.Tx) {
			seven, eight := slices.Clone(holder(tx, 7).Get(key(7))), slices.Clone(holder(tx, 8).Get(key(8)))
			holder(tx, 7).Put(key(7), eight)
			holder(tx, 8).Put(key(8), seven)
		}, "audit record 7 was changed: in its place is number 8", records},
		"truncated": {func(tx *bolt.Tx) {
			for seq := uint64(20); seq <= records; seq++ {
				holder(tx, seq).Delete(key(seq))
			}
		}, "audit records 20 to 30 are missing", 19},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := factordtest.StartProcess(t, factordtest.ProcessOptions{})
			for range records {
				p.MustCall("UNLOCK user=nobody")
			}
			run(t, "", "audit", "--socket", p.Socket).want(t, 0, "unlock", "")
			p.Stop()
			db, err := bolt.Open(filepath.Join(p.State, "factord.db"), 0o600, nil)
			if err == nil {
				err = db.Update(func(tx *bolt.Tx) error { test.spoil(tx); return nil })
				db.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			p.Start()
			for _, options := range [][]string{nil, {"--json"}, {"--follow"}} {
				o := run(t, "", append([]string{"audit", "--socket", p.Socket}, options...)...)
				o.want(t, 1, "", "factorctl: the audit chain is broken: "+test.want+"\nhint: ")
				if n := strings.Count(o.stdout, "\n"); n != test.shown {
					t.Errorf("%v: %d records are shown, want %d:\n%s", options, n, test.shown, o.stdout)
				}
			}
			o := run(t, "", "audit", "--user", "nobodz", "--socket", p.Socket)
			o.want(t, 1, "", test.want)
		})
	}
}

// Filters combine, and last counts what they leave.
func TestAuditFilters(t *testing.T) {
	factordtest.NeedRoot(t)
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{})
	codes := p.MustEnroll("nobody", "backup").Codes
	for i, service := range []string{"sudo", "su", "sudo"} {
		p.Login(-1, wire.Auth{User: "nobody", Service: service, First: true}, codes[i])
	}
	p.Login(-1, wire.Auth{User: "nobody", Service: "su", First: true}, codes[0], "x", "x")
	p.Login(-1, wire.Auth{User: "nobody", Service: "sshd", Conv: wire.ConvInfo})
	p.MustEnroll("daemon", "backup")
	for _, test := range []struct {
		options string
		want    string // the sequence numbers
	}{
		{"", "1 2 3 4 5 6 7 8"},
		{"--last 2", "7 8"},
		{"--user nobody", "1 2 3 4 5 6 7"},
		{"--user nobody --last 1", "7"},
		{"--service su", "3 5 6 7"},
		{"--service su --verdict allow", "3"},
		{"--verdict deny", "7"},
		{"--verdict allow --service sudo --last 1", "4"},
		{"--kind enroll", "1 8"},
		{"--kind answer --user daemon", ""},
		{"--since 1h --kind verdict", "2 3 4 7"},
		{"--since 1d --last 1", "8"},
		{"--since 2100-01-01", ""},
	} {
		o := run(t, "", append([]string{"audit", "--json", "--socket", p.Socket}, strings.Fields(test.options)...)...)
		var got []string
		for line := range strings.Lines(o.stdout) {
			var seq int
			fmt.Sscanf(line, `{"seq":%d,`, &seq)
			got = append(got, fmt.Sprint(seq))
		}
		if o.code != 0 || strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v, want %s; %s", test.options, got, test.want, o.stderr)
		}
	}
	run(t, "", "audit", "--socket", p.Socket).want(t, 0, "allow   nobody", "1 refusals before any factor in the last hour: factorctl audit --refusals\n")
	run(t, "", "audit", "--refusals", "--service", "sshd", "--socket", p.Socket).want(t, 0, "1 by uid 0 (denied 1)", "")
	if o := run(t, "", "audit", "--refusals", "--service", "su", "--socket", p.Socket); o.stdout != "" || o.stderr != "no refusals\n" {
		t.Errorf("%q, %q", o.stdout, o.stderr)
	}
	of := func(user, stdout, stderr string, more ...string) {
		t.Helper()
		o := run(t, "", append([]string{"audit", "--user", user, "--socket", p.Socket}, more...)...)
		if o.code != 0 || (o.stdout != "") != (stdout != "") || !strings.Contains(o.stdout, stdout) || o.stderr != stderr {
			t.Errorf("%s, %q: %+v", user, more, o)
		}
	}
	of("nobody-there", "", "no records of nobody-there\n")
	of("nobody-there", "", "no refusals of nobody-there\n", "--refusals")
	of("nobody", "allow   nobody", "1 refusals before any factor in the last hour: factorctl audit --refusals --user nobody\n")
}

// Root's are one record a minute, and yet each name in it is found.
func TestRefusalsByName(t *testing.T) {
	factordtest.NeedRoot(t)
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{Config: "[[rule]]\nservices = [\"other\"]\n" + "factors = [\"totp\"]\n"})
	for _, user := range []string{"nobody", "daemon", "nobody", "bin"} {
		p.Login(-1, wire.Auth{User: user, Service: "sudo"})
	}
	args := []string{"audit", "--socket", p.Socket}
	run(t, "", append(args, "--refusals", "--user", "daemon")...).want(t, 0, "daemon 1", "")
	run(t, "", append(args, "--user", "nobody")...).want(t, 0, "", "no records of nobody\n2 refusals before any factor in the last hour: factorctl audit --refusals --user nobody\n")
}

// output is what a program has written so far.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) await(t *testing.T, part string) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !strings.Contains(o.String(), part); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %q in\n%s", part, o)
		}
	}
}

// A follower sees each record once, over a restart and a crash of factord, though
// a filter hides most, and ends well when it is interrupted.
func TestFollow(t *testing.T) {
	factordtest.NeedRoot(t)
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{})
	p.MustCall("UNLOCK user=nobody")
	p.MustCall("UNLOCK user=nobody")
	p.MustCall("UNLOCK user=nobody")
	cmd := command("audit", "--follow", "--last", "2", "--user", "nobody", "--json", "--socket", p.Socket)
	f, stderr := &output{}, &output{}
	cmd.Stdout, cmd.Stderr = f, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.await(t, `{"seq":3,`)
	if strings.Contains(f.String(), `{"seq":1,`) {
		t.Error("more than the last two")
	}
	p.MustCall("UNLOCK user=daemon")
	p.MustCall("UNLOCK user=nobody")
	f.await(t, `{"seq":5,`)
	p.Stop()
	p.Start()
	p.MustCall("UNLOCK user=nobody")
	f.await(t, `{"seq":6,`)
	p.Kill9()
	stderr.await(t, "still trying")
	p.Start()
	p.MustCall("UNLOCK user=nobody")
	f.await(t, `{"seq":7,`)
	cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, stderr.String())
	}
	var seqs []string
	for line := range strings.Lines(f.String()) {
		seq, _, _ := strings.Cut(strings.TrimPrefix(line, `{"seq":`), ",")
		seqs = append(seqs, seq)
	}
	if got := strings.Join(seqs, " "); got != "2 3 5 6 7" {
		t.Errorf("shown: %s", got)
	}
	if n := strings.Count(stderr.String(), "still trying"); n != 1 {
		t.Errorf("stderr: %q", stderr.String())
	}
}

// A follower is told of a restore, and shown its record and what came after it,
// whether the numbers have passed those that it has seen or not, and though a
// filter hides them.
func TestFollowOverARestore(t *testing.T) {
	factordtest.NeedRoot(t)
	for name, test := range map[string]struct {
		after int
		args  []string
		want  string
	}{
		"behind":   {0, nil, "1 2 3 4 2"},
		"level":    {2, nil, "1 2 3 4 2 3 4"},
		"overtook": {5, nil, "1 2 3 4 2 3 4 5 6 7"},
		"filtered": {5, []string{"--user", "nobody"}, "1 2 3 3 4 5 6 7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := factordtest.StartProcess(t, factordtest.ProcessOptions{})
			p.MustCall("UNLOCK user=nobody")
			backup := filepath.Join(p.Dir, "backup")
			offline(t, p, "--backup", backup)
			p.MustCall("UNLOCK user=nobody")
			p.MustCall("UNLOCK user=nobody")
			p.MustCall("UNLOCK user=daemon")
			cmd := command(append([]string{"audit", "--follow", "--json", "--socket", p.Socket}, test.args...)...)
			f, stderr := &output{}, &output{}
			cmd.Stdout, cmd.Stderr = f, stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			f.await(t, `{"seq":3,`)
			time.Sleep(time.Second / 2) // the whole answer has been read, and the next is not asked for
			cmd.Process.Signal(syscall.SIGSTOP)
			offline(t, p, "--restore", backup)
			for range test.after {
				p.MustCall("UNLOCK user=nobody")
			}
			cmd.Process.Signal(syscall.SIGCONT)
			stderr.await(t, "the chain was replaced: record 4 is not the one that was seen; going on with the restore, record 2\n")
			for end := time.Now().Add(5 * time.Second); strings.Count(f.String(), "\n") < len(strings.Fields(test.want)) && time.Now().Before(end); {
				time.Sleep(5 * time.Millisecond)
			}
			cmd.Process.Signal(os.Interrupt)
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v: %s", err, stderr)
			}
			var seqs []string
			for line := range strings.Lines(f.String()) {
				seq, _, _ := strings.Cut(strings.TrimPrefix(line, `{"seq":`), ",")
				seqs = append(seqs, seq)
			}
			if got := strings.Join(seqs, " "); got != test.want {
				t.Errorf("shown: %s, want %s", got, test.want)
			}
		})
	}
}

// offline runs factord for one of its other tasks, while the daemon is stopped.
func offline(t *testing.T, p *factordtest.Process, args ...string) {
	t.Helper()
	p.Stop()
	cmd := exec.Command(filepath.Join(factordtest.Build(t), "factord"), append(args, "--state", p.State, "--config", p.ConfigFile)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	p.Start()
}

// A copy that factord wrote is checked without it, and what was done to it named.
func TestVerifyFile(t *testing.T) {
	factordtest.NeedRoot(t)
	dir := factordtest.SmallDisk(t, "1m")
	file := filepath.Join(dir, "audit.jsonl")
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{Config: "[audit]\nfile = \"" + file + "\"\n" + factordtest.AnyRule})
	for range 9 {
		p.MustCall("UNLOCK user=nobody")
	}
	p.Login(-1, wire.Auth{User: "nobody", Service: "sudo", Conv: wire.ConvInfo})
	p.Stop() // what is queued is written
	whole := "9 records, 1 to 9\n1 lines of refusals before any factor are in no chain: nothing vouches for them\n" +
		"the last record (9) has none after it that vouches for it\n"
	run(t, "", "audit", "--verify-file", file).want(t, 0, whole, "")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	run(t, string(text), "audit", "--verify-file", "-").want(t, 0, whole, "")
	changed := strings.Replace(string(text), `"seq":4,"time":"2`, `"seq":4,"time":"1`, 1)
	run(t, changed, "audit", "--verify-file", "-").want(t, 1, "line 4 was changed (record 4)\n", "the chain is broken\nhint: ")
	run(t, "", "audit", "--verify-file", dir+"/none").want(t, 1, "", "no such file")
}

// Nobody but root reads the log of others.
func TestAuditIsRoots(t *testing.T) {
	factordtest.NeedRoot(t)
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{})
	cmd := exec.Command(filepath.Join(factordtest.Build(t), "factorctl"), "audit", "--follow", "--socket", p.Socket)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "only root") {
		t.Errorf("%v: %s", err, out)
	}
}
