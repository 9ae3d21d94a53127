package session_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/factord/factord/daemon/factordtest"
)

// spoilRecords changes a byte in every sealed record.
func spoilRecords(t *testing.T, d *factordtest.Daemon) {
	t.Helper()
	d.Stop()
	db, err := bolt.Open(filepath.Join(d.Dir, "factord.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte("records"))
		spoilt := map[string][]byte{}
		b.ForEach(func(k, v []byte) error {
			v = append([]byte(nil), v...)
			v[len(v)-1] ^= 1
			spoilt[string(k)] = v
			return nil
		})
		for k, v := range spoilt {
			if err := b.Put([]byte(k), v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	d.Run()
}

// raw says lines to a daemon and returns everything it answers until it closes
// or falls silent.
func raw(t *testing.T, d *factordtest.Daemon, say ...string) string {
	t.Helper()
	c, err := factordtest.Dial(d.Socket, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	var heard strings.Builder
	hear := func() error {
		line, err := r.ReadString('\n')
		heard.WriteString(line)
		return err
	}
	hear()
	for _, line := range say {
		io.WriteString(c, line)
	}
	c.(*net.UnixConn).CloseWrite()
	for hear() == nil {
	}
	return strings.TrimPrefix(heard.String(), "OK factord 1\n")
}

func TestProtocolViolationsEndTheConnection(t *testing.T) {
	d := newDaemon(t, "")
	const auth, inquiry = "AUTH user=alice conv=prompt\n", "INQUIRE SECRET Passcode:%20\n"
	const refused = "S VERDICT deny reason=protocol rule=any\nERR 110 "
	for name, tc := range map[string]struct{ say, want string }{
		"unknown verb":           {"HELLO\nNOP\n", "ERR 110 "},
		"lower case":             {"nop\nNOP\n", "ERR 110 "},
		"answer before question": {"D 123456\nNOP\n", "ERR 110 "},
		"END before question":    {"END\nNOP\n", "ERR 110 "},
		"line too long":          {strings.Repeat("x", 100_000) + "\nNOP\n", "ERR 110 "},
		"unknown AUTH key":       {"AUTH user=alice uid=0\n", "S VERDICT deny reason=protocol\nERR 110 "},
		"AUTH in an inquiry":     {auth + auth, inquiry + refused},
		"NOP in an inquiry":      {auth + "NOP\n", inquiry + refused},
		"bad escape in answer":   {auth + "D %zz\nEND\n", inquiry + refused},
		"long answer":            {auth + "D " + strings.Repeat("x", 600) + "\nEND\n", inquiry + refused},
		"endless answer":         {auth + strings.Repeat("D \n", 100) + "END\n", inquiry + refused},
		"long line in inquiry":   {auth + strings.Repeat("x", 100_000) + "\n", inquiry + refused},
	} {
		t.Run(name, func(t *testing.T) {
			got := raw(t, d, tc.say)
			if !strings.HasPrefix(got, tc.want) || strings.Count(got, "ERR") != 1 || strings.Contains(got, "\nOK") || strings.Count(got, "VERDICT") > 1 {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestOneConnectionIsOneAttempt(t *testing.T) {
	d := newDaemon(t, "")
	const auth = "AUTH user=alice conv=prompt\n"
	got := raw(t, d, auth+"CAN\n"+"NOP\nRESET\n"+auth)
	want := "INQUIRE SECRET Passcode:%20\nS VERDICT deny reason=cancelled rule=any\nERR 108 cancelled\nOK\nOK\nERR 110 unknown command, or not now\n"
	if got != want {
		t.Errorf("got %q", got)
	}
	if got := raw(t, d, "# a comment\n\nNOP\r\nRESET\nBYE\nNOP\n"); got != "OK\nOK\nOK closing connection\n" {
		t.Errorf("got %q", got)
	}
	if got := raw(t, d, strings.Repeat("NOP\n", 5000)); strings.Count(got, "OK") > 1000 {
		t.Errorf("a connection goes on for %d commands", strings.Count(got, "OK"))
	}
}

func TestSilenceEndsInTime(t *testing.T) {
	needRoot(t)
	d := factordtest.NewDaemon(t, factordtest.Options{AttemptTime: 200 * time.Millisecond})
	c, err := factordtest.Dial(d.Socket, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "AUTH user=alice conv=prompt\nD 12")
	all, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(all), "S VERDICT deny reason=timeout rule=any\nERR 107 ") {
		t.Errorf("got %q, %v", all, err)
	}
}

func TestStopDeniesWhatIsOpen(t *testing.T) {
	d := newDaemon(t, "")
	c, err := factordtest.Dial(d.Socket, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	fmt.Fprint(c, "AUTH user=alice conv=prompt\n")
	for line := ""; !strings.HasPrefix(line, "INQUIRE"); {
		if line, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	d.Stop()
	rest, _ := io.ReadAll(r)
	if !strings.HasPrefix(string(rest), "S VERDICT deny reason=unavailable rule=any\nERR 106 ") {
		t.Errorf("got %q", rest)
	}
}
