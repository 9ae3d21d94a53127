package authapi

import (
	"bufio"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func BenchmarkSign(b *testing.B) {
	s := &signer{scheme: V5, ikey: ikey, skey: []byte(skey), host: "api-1.example.com"}
	body := []byte(`{"async":"1","device":"auto","factor":"push","username":"alice"}`)
	for b.Loop() {
		now := date(time.Unix(1357020061, 0))
		s.authorization(s.canonical(now, "POST", "/auth/v2/auth", "", body))
	}
}

// flow answers a login with a push. Polls of "hang" wait until the client goes.
func flow(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/auth/v2/preauth":
		okay(`{"result":"auth","status_msg":"Account is active","devices":[{"device":"DP1","type":"phone","display_name":"iOS","capabilities":["auto","push"]}]}`)(w, r)
	case "/auth/v2/auth":
		okay(`{"txid":"T"}`)(w, r)
	default:
		if r.URL.Query().Get("txid") == "hang" {
			<-r.Context().Done()
			return
		}
		okay(`{"result":"allow","status":"allow","status_msg":"Success. Logging you in..."}`)(w, r)
	}
}

// A whole login: preauth, push, and the answer to it.
func BenchmarkPush(b *testing.B) {
	for _, two := range []bool{false, true} {
		b.Run(fmt.Sprintf("http%d", 1+btoi(two)), func(b *testing.B) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(flow))
			s.EnableHTTP2 = two
			s.StartTLS()
			b.Cleanup(s.Close)
			c := client(b, Config{Host: s.Listener.Addr().String(), CAFile: caFile(b, s)})
			for b.Loop() {
				login(b, c)
			}
		})
	}
}

func btoi(v bool) int {
	if v {
		return 1
	}
	return 0
}

func login(tb testing.TB, c *Client) {
	ctx, who := tb.Context(), Person{Username: "alice"}
	if _, err := c.Preauth(ctx, PreauthRequest{Person: who}); err != nil {
		tb.Fatal(err)
	}
	v, err := c.Auth(ctx, AuthRequest{Person: who, Method: Push})
	if err != nil {
		tb.Fatal(err)
	}
	if v, err = c.Await(ctx, v.TxID, nil); err != nil || v.Outcome != OutcomeAllow {
		tb.Fatal(v, err)
	}
}

// What 3,000 pending pushes cost in memory, the server being another process, and how
// long a login takes beside them.
func BenchmarkPending(b *testing.B) {
	const pending = 3000
	for _, protocol := range []string{"http1", "http2"} {
		b.Run(protocol, func(b *testing.B) {
			c := clientOfChild(b, protocol)
			before := memory()
			ctx, cancel := context.WithCancel(b.Context())
			var all sync.WaitGroup
			for range pending {
				all.Go(func() { c.AuthStatus(ctx, "hang") })
				time.Sleep(time.Millisecond) // logins come one by one
			}
			for b.Loop() {
				login(b, c)
			}
			b.ReportMetric(float64(memory()-before)/1e6, "MB")
			cancel()
			all.Wait()
		})
	}
}

// memory is what this process has in use, in bytes.
func memory() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}

// childKey makes this test binary a server, of the protocol that it names.
const childKey = "AUTHAPI_TEST_SERVER"

func TestMain(m *testing.M) {
	protocol := os.Getenv(childKey)
	if protocol == "" {
		os.Exit(m.Run())
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(flow))
	s.EnableHTTP2, s.Config.ErrorLog = protocol == "http2", quiet
	s.StartTLS()
	fmt.Printf("%s\n%s", s.Listener.Addr(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	os.Stdout.Close()
	io.Copy(io.Discard, os.Stdin) // until the parent is done
}

func clientOfChild(b *testing.B, protocol string) *Client {
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), childKey+"="+protocol), os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stdin.Close(); cmd.Wait() })
	r := bufio.NewReader(stdout)
	addr, _ := r.ReadString('\n')
	ca, _ := io.ReadAll(r)
	file := b.TempDir() + "/ca.pem"
	if err := os.WriteFile(file, ca, 0o600); err != nil {
		b.Fatal(err)
	}
	return client(b, Config{Host: strings.TrimSpace(addr), CAFile: file, PreauthTimeout: 30 * time.Second})
}
