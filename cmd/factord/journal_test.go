package main_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// journaldProgram is where systemd has it.
const journaldProgram = "/lib/systemd/systemd-journald"

// idle is how long a factord is watched that should do nothing.
const idle = 600 * time.Millisecond

// ownRun gives a command a /run of its own, in which journald's sockets are in
// the folder "run" of $0 and its journal is in "journal".
const ownRun = `set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/journal /run/log/journal
mount --bind "$0/run" /run/systemd/journal
mount --bind "$0/journal" /run/log/journal
if [ ! -s /etc/machine-id ]; then
	echo 0123456789abcdef0123456789abcdef >/run/machine-id
	if [ -e /etc/machine-id ]; then mount --bind /run/machine-id /etc/machine-id; fi
fi
`

// asService is how systemd starts a service: stderr, whatever it is here, is told
// to be journald's.
const asService = ownRun + `JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"`

// journalDir makes the folders of ownRun.
func journalDir(t *testing.T) string {
	factordtest.NeedRoot(t)
	factordtest.NeedProgram(t, "unshare")
	dir := factordtest.OpenDir(t)
	for _, name := range []string{"run", "journal"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func inOwnRun(dir, script string) []string {
	return []string{"unshare", "-m", "--propagation", "private", "sh", "-c", script, dir}
}

// startJournald starts the real journald on the folders of dir.
func startJournald(t *testing.T, dir string) {
	t.Helper()
	argv := append(inOwnRun(dir, ownRun+`exec "$@"`), journaldProgram)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	await(t, "journald", func() bool {
		c, err := net.Dial("unixgram", filepath.Join(dir, "run", "socket"))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// journal returns the entries that journalctl finds.
func journal(t *testing.T, dir string, matches ...string) (entries []map[string]any) {
	t.Helper()
	argv := append([]string{"--directory", filepath.Join(dir, "journal"), "--output", "json", "--no-pager", "--quiet"}, matches...)
	out, err := exec.Command(factordtest.NeedProgram(t, "journalctl"), argv...).Output()
	if err != nil {
		return nil // there is no journal yet, or nothing matches
	}
	for line := range strings.Lines(string(out)) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		entries = append(entries, entry)
	}
	return entries
}

// The real journald takes records with their fields, and stderr does not repeat
// them.
func TestJournald(t *testing.T) {
	dir := journalDir(t)
	startJournald(t, dir)
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{Dir: dir, Wrap: inOwnRun(dir, asService)})
	codes := p.MustEnroll(person, "backup").Codes
	p.Login(-1, login, codes[0])
	p.Login(-1, login, codes[0], "no code", "no code")
	p.Login(-1, wire.Auth{User: person, Service: "su", Conv: wire.ConvInfo})
	p.MustCall("UNLOCK user=" + person)
	p.MustCall("BYPASS user=" + person)

	for _, want := range []struct{ id, priority, message, fields string }{
		{"edd0e984b3f3394d4790c83b3eb23bdd", "5", `enrolled backup backup-1 for nobody, asked by uid 0 (name "backup-1")`, "KIND=enroll SEQ=1 ID=backup-1 PEER_UID=0"},
		{"0f4dfaa973ec65343542794755c64e0f", "6", `allowed nobody to sudo from 192.0.2.7 by backup (rule "any")`,
			"VERDICT=allow BASIS=factor FACTOR=backup RULE=any SERVICE=sudo RHOST=192.0.2.7 SEQ=2"},
		{"97aa678d782e298b3e18da602af2f7c4", "5", "wrong answer from nobody to sudo from 192.0.2.7: replayed", "KIND=answer REASON=replayed SEQ=3"},
		{"d87fff7aa1500f6ba108782b5a5be7d1", "5", "denied nobody to sudo from 192.0.2.7: attempts", "VERDICT=deny REASON=attempts SEQ=5"},
		{"5d7697261feb9913636c53fdb1a5444b", "5", "refused nobody to su before a factor was asked: denied", "KIND=refused VERDICT=deny SERVICE=su"},
		{"12a3890d9e0534b33caa1bc2d4142c95", "5", "unlocked nobody, asked by uid 0", "KIND=unlock SEQ=6"},
		{"99c89bbe62ed61aba2dcbfcbcb0c5351", "5", "made a bypass code for nobody, asked by uid 0 (valid for 1h0m0s)", "KIND=bypass SEQ=7"},
	} {
		var entries []map[string]any
		await(t, want.message, func() bool {
			entries = journal(t, dir, "MESSAGE_ID="+want.id, "FACTORD_USER="+person)
			return len(entries) > 0
		})
		e := entries[0]
		message, _ := e["MESSAGE"].(string)
		if !strings.HasPrefix(message, want.message) || e["PRIORITY"] != want.priority || e["SYSLOG_IDENTIFIER"] != "factord" ||
			e["SYSLOG_FACILITY"] != "10" || e["_TRANSPORT"] != "journal" || e["_UID"] != "0" {
			t.Errorf("%s: %v", want.message, e)
		}
		for _, field := range strings.Fields(want.fields) {
			name, value, _ := strings.Cut(field, "=")
			if e["FACTORD_"+name] != value {
				t.Errorf("%s: FACTORD_%s is %v, want %s", want.message, name, e["FACTORD_"+name], value)
			}
		}
		if _, chained := e["FACTORD_SEQ"]; chained != !strings.HasPrefix(message, "refused") {
			t.Errorf("%s: FACTORD_SEQ is %v", want.message, e["FACTORD_SEQ"])
		}
	}
	if strings.Contains(p.Log(), "msg=verdict") || strings.Contains(p.Log(), "msg=enroll") {
		t.Errorf("the log repeats what the journal has:\n%s", p.Log())
	}
	if n := lost(p, "journal"); n != 0 {
		t.Errorf("%v lost", n)
	}
	p.Stop()
}

// A journald that hangs costs copies, but no login any time, and no processor.
// When it reads again, copies arrive again.
func TestJournaldThatHangs(t *testing.T) {
	dir := journalDir(t)
	file := filepath.Join(dir, "audit.jsonl")
	socket := filepath.Join(dir, "run", "socket")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{Dir: dir, Wrap: inOwnRun(dir, asService), Config: withAudit(`file = "` + file + `"`)})
	codes := p.MustEnroll(person, "backup").Codes
	buffer := make([]byte, 1<<16)
	n, err := l.Read(buffer)
	if err != nil || !strings.Contains(string(buffer[:n]), "MESSAGE_ID=") {
		t.Fatalf("%q, %v", buffer[:n], err)
	}

	filled := fill(t, socket)
	for i := range 5 {
		begun := time.Now()
		if v := p.Login(-1, login, codes[i]); !v.Allow {
			t.Errorf("%+v", v)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("a login took %v", took)
		}
	}
	await(t, "the losses", func() bool { return lost(p, "journal") == 5 })
	await(t, "the file", func() bool { return lines(file) == 6 })
	before := cpu(t, p)
	time.Sleep(idle)
	if used := cpu(t, p) - before; used > idle/3 {
		t.Errorf("%v of processor time in %v of waiting", used, idle)
	}
	if n := strings.Count(p.Log(), "audit copies are lost"); n != 1 {
		t.Errorf("%d log lines of the loss\n%s", n, p.Log())
	}

	p.Configure(withAudit("strict = true"))
	p.Hangup()
	if v := p.Login(-1, login, codes[5]); v.Allow || v.Reason != wire.ReasonUnavailable {
		t.Errorf("strict: %+v", v)
	}
	await(t, "word of it", func() bool { return strings.Contains(p.Log(), "done, but") || lost(p, "journal") >= 6 })
	for range filled {
		l.Read(buffer)
	}
	go func() {
		for {
			if _, err := l.Read(buffer); err != nil {
				return
			}
		}
	}()
	letIn(t, p, codes[6:])
	p.Stop()
}

// fill fills the queue of a socket and returns with how many datagrams.
func fill(t *testing.T, socket string) (n int) {
	t.Helper()
	c, err := net.Dial("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	for ; ; n++ {
		c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := c.Write([]byte("MESSAGE=others have much to say\n")); err != nil {
			return n
		}
	}
}

// cpu is the processor time that a factord has used.
func cpu(t *testing.T, p *factordtest.Process) time.Duration {
	t.Helper()
	pid := p.MustCall(wire.VerbStatus)[0]["pid"]
	text, err := os.ReadFile(fmt.Sprintf("/proc/%v/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	var user, system int64
	fields := strings.Fields(rest) // from the state on; proc(5): utime is field 14
	fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	return time.Duration(user+system) * 10 * time.Millisecond
}
