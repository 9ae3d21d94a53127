package helper

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/wire"
)

const asked = "INQUIRE SECRET Passcode:%20"

func TestAuthtok(t *testing.T) {
	full := strings.Repeat("x", wire.MaxAnswer)
	tests := []struct {
		name, stdin string
		inquiry     string
		want        []string
	}{
		{"plain", "123456", asked, []string{"D 123456", "END"}},
		{"for an echoing prompt", "123456", "INQUIRE PROMPT Code:%20", []string{"D 123456", "END"}},
		{"ends in NUL", "123456\x00", asked, []string{"D 123456", "END"}},
		{"ends in newline", "123456\n", asked, []string{"D 123456", "END"}},
		{"only one is dropped", "123456\n\x00", asked, []string{"D 123456%0A", "END"}},
		{"escaped", "50% off", asked, []string{"D 50%25 off", "END"}},
		{"empty, with NUL: Enter", "\x00", asked, []string{"END"}},
		{"longest", full, asked, []string{"D " + full, "END"}},
		{"longest, with NUL", full + "\x00", asked, []string{"D " + full, "END"}},
		{"not for other kinds", "123456", "INQUIRE AUTHINFO", []string{"CAN"}},
		{"none", "", asked, []string{"CAN"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socket := serve(t, answering(tt.inquiry, sayAllow, tt.want...))
			got := call{args: []string{"pam", "--socket", socket}, env: login(), stdin: piped(t, tt.stdin)}.run(t)
			if got.code != exitAllow {
				t.Errorf("exit %d, stdout %q, stderr %q", got.code, got.stdout, got.stderr)
			}
		})
	}
}

func TestAuthtokAnswersOnce(t *testing.T) {
	socket := serve(t, func(p *peer) {
		p.expectAuth("AUTH user=alice service=sshd phase=auth conv=prompt")
		p.put(asked)
		p.expect("D 123456")
		p.expect("END")
		p.put("S INFO Wrong code.", asked)
		p.expect("CAN")
		p.put(sayDeny...)
		p.expect("EOF")
	})
	got := call{args: []string{"pam", "--socket", socket}, env: login(), stdin: piped(t, "123456")}.run(t)
	if got.code != exitDeny || got.stdout != "Wrong code.\n" {
		t.Errorf("exit %d, stdout %q", got.code, got.stdout)
	}
}

func TestAuthtokTooLong(t *testing.T) {
	for _, n := range []int{wire.MaxAnswer + 1, 60_000} {
		got := call{args: []string{"pam", "--socket", "/nowhere"}, env: login(), stdin: piped(t, strings.Repeat("x", n))}.run(t)
		if got.code != exitDeny || got.stdout != "The answer is too long.\n" || !strings.Contains(got.stderr, "512") {
			t.Errorf("%d bytes: exit %d, stdout %q, stderr %q", n, got.code, got.stdout, got.stderr)
		}
	}
}

// A pipe that nobody closes is waited for, but not for ever.
func TestAuthtokWithoutEnd(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	start := time.Now()
	got := call{args: []string{"pam", "--socket", "/nowhere"}, env: login(), stdin: r, deadline: 150 * time.Millisecond}.run(t)
	if d := time.Since(start); got.code != exitUnavailable || d > time.Second {
		t.Errorf("exit %d after %v", got.code, d)
	}
}

// Only a pipe is read: a file on stdin is somebody else's.
func TestStdinFileIsLeftAlone(t *testing.T) {
	path := t.TempDir() + "/f"
	if err := os.WriteFile(path, []byte("123456"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := open(t, path)
	socket := serve(t, answering(asked, sayDeny, "CAN"))
	got := call{args: []string{"pam", "--socket", socket}, env: login(), stdin: file}.run(t)
	if rest, _ := io.ReadAll(file); got.code != exitDeny || string(rest) != "123456" {
		t.Errorf("exit %d, left %q", got.code, rest)
	}
}

func FuzzAuthtok(f *testing.F) {
	f.Add([]byte("123456\x00"))
	f.Add([]byte("\n"))
	f.Add(bytes.Repeat([]byte("x"), wire.MaxAnswer+2))
	f.Fuzz(func(t *testing.T, p []byte) {
		in := bytes.Clone(p)
		answer, given, err := authtok(p)
		switch {
		case err != nil:
			if len(in) <= wire.MaxAnswer || given || answer != nil {
				t.Errorf("%q: %q, %v, %v", in, answer, given, err)
			}
		case given != (len(in) > 0), len(answer) > wire.MaxAnswer, !bytes.HasPrefix(in, answer), len(in)-len(answer) > 1:
			t.Errorf("%q: %q, %v", in, answer, given)
		}
	})
}
