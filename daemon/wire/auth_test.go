package wire

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParseAuth(t *testing.T) {
	a, err := ParseAuth("user=alice service=sshd rhost=203.0.113.7 tty=ssh conv=flush auth-info=1 first=1 race=1 phase=account ruser=bob command=ls%20-l")
	want := Auth{User: "alice", Service: "sshd", RHost: "203.0.113.7", TTY: "ssh", Conv: ConvFlush, AuthInfo: true, First: true, Race: true, Phase: PhaseAccount, RUser: "bob", Command: "ls -l"}
	if err != nil || a != want {
		t.Errorf("got %+v, %v", a, err)
	}
	if a, err := ParseAuth("user=x"); err != nil || a.Conv != ConvNone || a.Phase != PhaseAuth {
		t.Errorf("what is left out must be the least: %+v, %v", a, err)
	}
	for _, bad := range []string{"user", "=x", "user=a user=b", "user=a%0a", "user=%00", "user=%ff", "user=a%", "uid=0", "first=0", "first=",
		"first=yes", "conv=ask", "phase=session", "user=a  service=b", " user=a", "user=a%c2%85", "User=a"} {
		if a, err := ParseAuth(bad); err == nil {
			t.Errorf("%q was taken as %+v", bad, a)
		}
	}
}

func TestAuthLineCutsTheCommandOnly(t *testing.T) {
	// The longest argument of execve(2), which must not take longer than a short one.
	a := Auth{User: "alice", Service: "sshd", Command: strings.Repeat("ä %", 128<<10/4)}
	line, err := a.Line()
	if err != nil || len(line) > MaxLine || len(line) < MaxLine-12 {
		t.Fatalf("line of %d bytes, %v", len(line), err)
	}
	got, err := ParseAuth(strings.TrimPrefix(line, "AUTH "))
	if err != nil || !utf8.ValidString(got.Command) || !strings.HasPrefix(a.Command, got.Command) {
		t.Errorf("command came back as %q, %v", got.Command, err)
	}
	if _, err := (Auth{User: strings.Repeat("x", 1000)}).Line(); err == nil {
		t.Error("a user name was cut")
	}
}

// slowPipe gives one byte per read.
type slowPipe struct{ io.Reader }

func (s slowPipe) Read(p []byte) (int, error)  { return s.Reader.Read(p[:1]) }
func (s slowPipe) Write(p []byte) (int, error) { return len(p), nil }

func TestLines(t *testing.T) {
	for in, want := range map[string]error{
		"a\nb\r\n\nd\n": io.EOF, "a\nb": io.ErrUnexpectedEOF, "": io.EOF,
		strings.Repeat("x", MaxLine) + "\n": io.EOF, strings.Repeat("x", MaxLine) + "\r\n": io.EOF,
		strings.Repeat("x", MaxLine+1) + "\n": ErrLineTooLong, strings.Repeat("x", MaxLine+1) + "\r\n": ErrLineTooLong,
		strings.Repeat("x", 100_000): ErrLineTooLong,
	} {
		for name, rw := range map[string]io.ReadWriter{"whole": &script{Reader: strings.NewReader(in)}, "slow": slowPipe{strings.NewReader(in)}} {
			l := NewLines(rw)
			var err error
			for err == nil {
				var line []byte
				if line, err = l.Read(); len(line) > MaxLine {
					t.Errorf("line of %d bytes", len(line))
				}
			}
			if !errors.Is(err, want) {
				t.Errorf("%s %.20q…: got %v, want %v", name, in, err, want)
			}
		}
	}
}

func TestPeerOf(t *testing.T) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: t.TempDir() + "/s", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.SetDeadline(time.Now().Add(10 * time.Second))
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	raw, _ := s.SyscallConn()
	raw.Control(func(fd uintptr) {
		if p, err := PeerOf(int(fd)); err != nil || p.UID != uint32(geteuid()) || p.PID == 0 {
			t.Errorf("got %+v, %v", p, err)
		}
	})
	if _, err := PeerOf(-1); err == nil {
		t.Error("a bad descriptor has no peer")
	}
}
