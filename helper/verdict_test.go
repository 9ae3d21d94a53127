package helper

import (
	"strings"
	"testing"
	"time"
)

// The daemon's words after AUTH, and what the helper makes of them.
func TestVerdicts(t *testing.T) {
	tests := []struct {
		name string
		say  string
		want int
	}{
		{"allow", allow + "\nOK\n", 0},
		{"allow with crlf", allow + "\r\nOK\r\n", 0},
		{"allow, OK with text", allow + "\nOK welcome\n", 0},
		{"info first", "S INFO hello\n" + allow + "\nOK\n", 0},
		{"somebody enrols", "S ENROLLING\nS INFO hello\n" + allow + "\nOK\n", 0},
		{"every basis: remembered", "S VERDICT allow basis=remembered\nOK\n", 0},
		{"every basis: exempt", "S VERDICT allow basis=exempt\nOK\n", 0},
		{"every basis: not-enrolled", "S VERDICT allow basis=not-enrolled\nOK\n", 0},
		{"every basis: audit", "S VERDICT allow basis=audit would=101\nOK\n", 0},
		{"every basis: unavailable", "S VERDICT allow basis=unavailable\nOK\n", 0},

		{"deny", denied + "\n" + deniedNo + "\n", 1},
		{"deny without text", denied + "\nERR 101\n", 1},
		{"unavailable", "S VERDICT deny reason=unavailable\nERR 106 Later.\n", 3},

		{"nothing", "", 3},
		{"OK without a verdict", "OK\n", 3},
		{"ERR without a verdict", "ERR 101 no\n", 3},
		{"allow without OK", allow + "\n", 3},
		{"half a verdict", allow, 3},
		{"half an OK", allow + "\nOK", 3},
		{"half of a half", allow[:20], 3},
		{"allow and ERR", allow + "\nERR 101 no\n", 3},
		{"deny and OK", denied + "\nOK\n", 3},
		{"deny and another ERR", denied + "\nERR 102 no\n", 3},
		{"two allows", allow + "\n" + allow + "\nOK\n", 3},
		{"deny, then allow", denied + "\n" + allow + "\nOK\n", 3},
		{"allow, then deny", allow + "\n" + denied + "\nOK\n", 3},
		{"allow OK, then deny", allow + "\nOK\n" + denied + "\n", 3},
		{"allow OK, then allow OK", allow + "\nOK\n" + allow + "\nOK\n", 3},
		{"info in between", allow + "\nS INFO hi\nOK\n", 3},
		{"empty line in between", allow + "\n\nOK\n", 3},
		{"OKAY", allow + "\nOKAY\n", 3},
		{"ok", allow + "\nok\n", 3},
		{"space before OK", allow + "\n OK\n", 3},
		{"no basis", "S VERDICT allow\nOK\n", 3},
		{"empty basis", "S VERDICT allow basis=\nOK\n", 3},
		{"unknown basis", "S VERDICT allow basis=friend\nOK\n", 3},
		{"audit without would", "S VERDICT allow basis=audit\nOK\n", 3},
		{"would without audit", "S VERDICT allow basis=factor would=101\nOK\n", 3},
		{"unknown would", "S VERDICT allow basis=audit would=115\nOK\n", 3},
		{"unknown key", allow + " extra=1\nOK\n", 3},
		{"key twice", allow + " rule=2\nOK\n", 3},
		{"bare word", allow + " please\nOK\n", 3},
		{"two spaces", "S VERDICT allow  basis=factor\nOK\n", 3},
		{"unknown verdict", "S VERDICT maybe basis=factor\nOK\n", 3},
		{"upper case", "S VERDICT ALLOW basis=factor\nOK\n", 3},
		{"no reason", "S VERDICT deny\nERR 101 no\n", 3},
		{"unknown reason", "S VERDICT deny reason=mood\nERR 101 no\n", 3},
		{"undecodable escape", "S VERDICT allow basis=factor rule=%zz\nOK\n", 3},
		{"cut escape", "S VERDICT allow basis=factor rule=a%2\nOK\n", 3},
		{"control character", "S VERDICT allow basis=factor rule=a%1b[1m\nOK\n", 3},
		{"escaped newline", "S VERDICT allow basis=factor rule=a%0aOK\nOK\n", 3},
		{"not UTF-8", "S VERDICT allow basis=factor rule=%ff\nOK\n", 3},
		{"bad escape in the refusal", denied + "\nERR 101 %q\n", 3},
		{"bad escape in a message", "S INFO %\n" + allow + "\nOK\n", 3},
		{"somebody enrols twice", "S ENROLLING\nS ENROLLING\n" + allow + "\nOK\n", 3},
		{"somebody enrols for long", "S ENROLLING 3600\n" + allow + "\nOK\n", 3},
		{"unknown status line", "S PROGRESS x\n" + allow + "\nOK\n", 3},
		{"data", "D x\n" + allow + "\nOK\n", 3},
		{"line of 1001 bytes", "S INFO " + strings.Repeat("x", 994) + "\n" + allow + "\nOK\n", 3},
		{"line of 100 kB", strings.Repeat("x", 100_000) + "\n" + allow + "\nOK\n", 3},
		{"verdict of 100 kB", allow + strings.Repeat("x", 100_000) + "\nOK\n", 3},
		{"no line at all", strings.Repeat("x", 100_000), 3},
		{"zero bytes", "\x00\x00\x00\n", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socket := serve(t, func(p *peer) {
				p.greet()
				_, _ = p.conn.Write([]byte(tt.say))
			})
			got := call{args: []string{"pam", "--socket", socket}, env: login()}.run(t)
			if got.code != tt.want {
				t.Errorf("exit %d, want %d; stdout %q, stderr %q", got.code, tt.want, got.stdout, got.stderr)
			}
		})
	}
}

// What comes before AUTH is read must be the greeting alone.
func TestGreetings(t *testing.T) {
	tests := map[string]string{
		"nothing":                "",
		"half":                   "OK fact",
		"other server":           "OK Pleased to meet you\n",
		"later version":          "OK factord 12\n" + allow + "\nOK\n",
		"error":                  "ERR 100 busy\n",
		"verdict":                allow + "\nOK\n",
		"verdict, then greeting": allow + "\nOK\n" + greeting + "\n",
	}
	for name, say := range tests {
		t.Run(name, func(t *testing.T) {
			socket := serve(t, func(p *peer) { _, _ = p.conn.Write([]byte(say)) })
			got := call{args: []string{"--socket=" + socket, "check"}}.run(t)
			if got.code != exitUnavailable || got.stdout != "" {
				t.Errorf("exit %d, stdout %q, stderr %q", got.code, got.stdout, got.stderr)
			}
		})
	}
}

func TestSilence(t *testing.T) {
	for name, say := range map[string]string{
		"at once": "", "after the greeting": greeting + "\n", "in a line": greeting + "\nS VERD",
		"after the verdict": greeting + "\n" + allow + "\n", "after half an OK": greeting + "\n" + allow + "\nO",
	} {
		t.Run(name, func(t *testing.T) {
			socket := serve(t, func(p *peer) {
				_, _ = p.conn.Write([]byte(say))
				for p.line() != "EOF" {
				}
			})
			start := time.Now()
			got := call{args: []string{"pam", "--socket", socket}, env: login(), deadline: 200 * time.Millisecond}.run(t)
			if got.code != exitUnavailable || got.stdout != "Timed out.\n" {
				t.Errorf("exit %d, stdout %q, stderr %q", got.code, got.stdout, got.stderr)
			}
			if d := time.Since(start); d < 200*time.Millisecond || d > time.Second {
				t.Errorf("ended after %v", d)
			}
		})
	}
}

// A server that talks without end must not outlast the deadline either.
func TestChatter(t *testing.T) {
	socket := serve(t, func(p *peer) {
		p.greet()
		for {
			if _, err := p.conn.Write([]byte("S INFO still working\n")); err != nil {
				return
			}
		}
	})
	env := login()
	null := open(t, "/dev/null")
	start := time.Now()
	code := Run(Config{
		Args: []string{"pam", "--socket", socket}, Deadline: 200 * time.Millisecond,
		Getenv: func(k string) (string, bool) { v, ok := env[k]; return v, ok },
		Stdin:  int(null.Fd()), Stdout: int(null.Fd()), Stderr: int(null.Fd()),
	})
	if d := time.Since(start); code != exitUnavailable || d > time.Second {
		t.Errorf("exit %d after %v", code, d)
	}
}

func TestRefusalIsSafeToShow(t *testing.T) {
	socket := serve(t, func(p *peer) {
		p.greet()
		p.put("S INFO wait%1b[2J", denied, "ERR 101 no%0d%0aroot:%1b]0;x%07 \xff")
	})
	got := call{args: []string{"pam", "--socket", socket}, env: login()}.run(t)
	if want := "wait?[2J\nno??root:?]0;x? ?\n"; got.code != 1 || got.stdout != want || got.stderr != "" {
		t.Errorf("exit %d, stdout %q, want %q; stderr %q", got.code, got.stdout, want, got.stderr)
	}
}

// Who sets up a factor has more time; who has cancelled, no more.
func TestMoreTime(t *testing.T) {
	w, err := newWatch(DefaultDeadline, cancelGrace)
	defer w.close()
	if err != nil {
		t.Fatal(err)
	}
	a := &attempt{watch: w}
	a.Enrolling()
	if left := time.Until(w.end()); left > 95*time.Second || left < 90*time.Second {
		t.Errorf("%v are left", left)
	}
	w.cancel()
	a.Enrolling()
	if left := time.Until(w.end()); left > cancelGrace {
		t.Errorf("cancelled, and %v are left", left)
	}
}
