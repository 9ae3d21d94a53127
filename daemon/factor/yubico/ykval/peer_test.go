package ykval_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor/yubico/ykval"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/yksim"
)

// Programs that are not ours: ykgenerate makes OTPs, ykclient asks the simulated
// server, and our client asks Debian's yubiserver.

// generate lets ykgenerate make the token of a key.
func generate(t *testing.T, k *yksim.Key, use, session int) string {
	t.Helper()
	privateID, aesKey := k.Secrets()
	out, err := exec.Command(factordtest.NeedProgram(t, "ykgenerate"), aesKey, privateID,
		fmt.Sprintf("%04x", use), fmt.Sprintf("%04x", 1000*use+session), "00", fmt.Sprintf("%02x", session)).CombinedOutput()
	if err != nil {
		t.Fatalf("ykgenerate: %v: %s", err, out)
	}
	return k.PublicID + strings.TrimSpace(string(out))
}

// ykclient asks, and returns its exit status: 0 good, 2 replayed, 3 otherwise bad.
func ykclient(t *testing.T, url string, apiKey []byte, otp string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, factordtest.NeedProgram(t, "ykclient"), "--debug", "--url", url,
		"--apikey", base64.StdEncoding.EncodeToString(apiKey), strconv.Itoa(yksim.ClientID), otp)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func TestYkclient(t *testing.T) {
	k := yksim.NewKey(publicID)
	s := yksim.NewServer(k)
	url := s.Start(t)
	good := generate(t, k, 1, 1)
	for _, step := range []struct {
		name, otp string
		apiKey    []byte
		want      int
	}{
		{"good", good, s.APIKey, 0},
		{"again", good, s.APIKey, 2},
		{"older", generate(t, k, 1, 0), s.APIKey, 2},
		{"of another key", generate(t, yksim.NewKey(publicID), 2, 0), s.APIKey, 3},
		{"with another API key", generate(t, k, 2, 0), []byte("not the key it has.."), 3},
		{"later", generate(t, k, 3, 0), s.APIKey, 0},
	} {
		if status, out := ykclient(t, url, step.apiKey, step.otp); status != step.want {
			t.Errorf("%s: status %d, want %d: %s", step.name, status, step.want, out)
		}
	}
	liar := yksim.NewServer(k)
	liar.SignKey = []byte("somebody else's key.")
	if status, out := ykclient(t, liar.Start(t), s.APIKey, generate(t, k, 4, 0)); status != 3 || !strings.Contains(out, "107") && !strings.Contains(out, "signature") {
		t.Errorf("signed with another key: status %d: %s", status, out)
	}
}

// yubiserver starts Debian's validation server, which knows the keys, and returns its
// address, our number at it and the API key.
func yubiserver(t *testing.T, keys ...*yksim.Key) (url string, id int, apiKey []byte) {
	t.Helper()
	factordtest.NeedRoot(t) // it has a user of its own, which it becomes
	program, admin := factordtest.NeedProgram(t, "yubiserver"), factordtest.NeedProgram(t, "yubiserver-admin")
	dir := factordtest.OpenDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(dir, "yubiserver.sqlite")
	run := func(name string, args ...string) string {
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v: %s", name, args, err, out)
		}
		return string(out)
	}
	run("cp", "/etc/yubiserver/yubiserver.sqlite.init", db)
	for i, k := range keys {
		privateID, aesKey := k.Secrets()
		run(admin, "-b", db, "-y", "-a", fmt.Sprintf("user%d", i), k.PublicID, privateID, aesKey)
	}
	apiKey = []byte("0123456789abcdefghij")
	run(admin, "-b", db, "-p", "-a", "tester", string(apiKey))
	if err := os.Chmod(db, 0o666); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	// It goes into the background: a process-id space of its own ends it with us.
	cmd := exec.Command("unshare", "--pid", "--fork", "--kill-child=KILL", "sh", "-c",
		`"$0" "$@" </dev/null >/dev/null 2>&1; exec sleep 600`, program, "-d", db, "-p", port, "-l", filepath.Join(dir, "log"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	addr := net.JoinHostPort("127.0.0.1", port)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal("yubiserver does not listen")
		}
	}
	return "http://" + addr + yksim.Path, 1, apiKey
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestYubiserver(t *testing.T) {
	k := yksim.NewKey(publicID)
	url, id, apiKey := yubiserver(t, k)
	server := ykval.Server{URL: url, ClientID: uint32(id), APIKey: apiKey, Uncounted: true}
	ask := func(s ykval.Server, otp string) (ykval.Answer, error) {
		return ykval.New(ykval.Config{Servers: []ykval.Server{s}}).Verify(t.Context(), otp)
	}
	good := generate(t, k, 1, 1)
	for _, step := range []struct {
		name, otp string
		want      ykval.Outcome
	}{
		{"good", good, ykval.Accepted},
		{"again", good, ykval.Replayed},
		{"later", generate(t, k, 2, 0), ykval.Accepted},
		{"older", generate(t, k, 1, 2), ykval.Replayed},
		{"of another key", generate(t, yksim.NewKey(publicID), 3, 0), ykval.Wrong},
		{"later still", generate(t, k, 3, 0), ykval.Accepted},
	} {
		if got, err := ask(server, step.otp); err != nil || got.Outcome != step.want {
			t.Errorf("%s: %+v, %v", step.name, got, err)
		}
	}
	// Asked for the counters it leaves them out of its signature: anybody could have
	// written them.
	server.Uncounted = false
	if got, err := ask(server, generate(t, k, 4, 0)); err == nil || !strings.Contains(err.Error(), "not signed") {
		t.Errorf("with counters: %+v, %v", got, err)
	}
	server.Uncounted, server.APIKey = true, []byte("not the key it has..")
	if got, err := ask(server, generate(t, k, 5, 0)); err == nil {
		t.Errorf("with another API key: %+v", got)
	}
	server.APIKey, server.ClientID = apiKey, 77
	if got, err := ask(server, generate(t, k, 6, 0)); err == nil || !strings.Contains(err.Error(), "NO_SUCH_CLIENT") {
		t.Errorf("as nobody: %+v, %v", got, err)
	}
}
