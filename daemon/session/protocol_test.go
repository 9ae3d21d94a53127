package session_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/backup"
	"github.com/factord/factord/daemon/factor/totp"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// spoilRecords changes a byte in every sealed record.
func spoilRecords(t *testing.T, d *factordtest.Daemon) {
	t.Helper()
	spoil(t, d, "records")
}

// spoil changes a byte in every value of a bucket.
func spoil(t *testing.T, d *factordtest.Daemon, bucket string) {
	t.Helper()
	d.Stop()
	db, err := bolt.Open(filepath.Join(d.Dir, "factord.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
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

func TestAuthInfo(t *testing.T) {
	d := newDaemon(t, "")
	const info = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"
	got := raw(t, d, "AUTH user=alice conv=prompt auth-info=1\nD "+info+"\nEND\nCAN\n")
	if !strings.HasPrefix(got, "INQUIRE AUTHINFO\nINQUIRE SECRET ") {
		t.Errorf("got %q", got)
	}
	raw(t, d, "AUTH user=alice conv=prompt auth-info=1\nD "+info+"\nEND\nD 000000\nEND\nCAN\n")
	if audit := d.MustCall("AUDIT"); !strings.Contains(audit, `"key":"SHA256:`) {
		t.Errorf("the key is not in the audit record: %s", audit)
	}
	got = raw(t, d, "AUTH user=alice conv=prompt auth-info=1\n"+strings.Repeat("D "+strings.Repeat("x", 900)+"\n", 20)+"END\n")
	if !strings.Contains(got, "VERDICT deny reason=protocol") {
		t.Errorf("more than 16 kB: %q", got)
	}
}

// Whatever a client says, it is not let in without a code, and nothing panics.
func FuzzConversation(f *testing.F) {
	f.Add(uint32(0), "AUTH user=alice service=sudo conv=prompt\nD 123456\nEND\nCAN\nBYE\n")
	f.Add(uint32(1001), "ENROLL factor=totp\nCAN\nLIST\nSTATUS\nEXPLAIN service=sudo\n")
	f.Add(uint32(0), "ENROLL factor=hotp user=alice seed=1 digits=8\nD x\nEND\nAUDIT last=3\nAUDIT from=2 follow=1 user=a service=s verdict=deny kind=k since=2026-01-31T00:00:00Z\nAUDIT refusals=1\nREMOVE id=x user=alice\n")
	f.Add(uint32(0), "RESYNC id=hotp-1 user=alice\nD 755224\nEND\nD 287082\nEND\nRESYNC id=x\n")
	config := session.Config{Users: factordtest.NewUsers(), Log: slog.New(slog.DiscardHandler), AttemptTime: time.Second, IdleTime: time.Second}
	dir := f.TempDir()
	key, err := store.MakeKey(dir)
	if err == nil {
		err = store.Init(dir, key)
	}
	if err == nil {
		config.Store, err = store.Open(store.Config{Dir: dir, Key: key})
	}
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { config.Store.Close() })
	config.Bypass, config.Invite = backup.NewBypass(backup.Config{}), backup.NewInvite(backup.Config{})
	config.Settings = func() session.Settings {
		return session.Settings{
			Rules:   policy.Rules{{Name: "any", Factors: []string{"totp", "backup"}, Callers: []policy.Caller{policy.CallerRoot, policy.CallerUser}}},
			Factors: []factor.Factor{totp.New(totp.Config{}), backup.New(backup.Config{}), backup.NewBypass(backup.Config{})},
		}
	}
	sessions := session.New(config)
	f.Fuzz(func(t *testing.T, uid uint32, said string) {
		client, server := net.Pipe()
		go func() {
			io.WriteString(client, said)
			client.Close()
		}()
		heard := make(chan string)
		go func() {
			all, _ := io.ReadAll(client)
			heard <- string(all)
		}()
		sessions.Serve(t.Context(), server, wire.Peer{UID: uid}, nil)
		if strings.Contains(<-heard, "VERDICT allow") {
			t.Errorf("%q is let in", said)
		}
	})
}
