package wire

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

func geteuid() int { return os.Geteuid() }

func FuzzParseAuth(f *testing.F) {
	f.Add("user=alice service=sshd rhost=203.0.113.7 tty=ssh conv=flush command=ls%20-l first=1")
	f.Fuzz(func(t *testing.T, rest string) {
		a, err := ParseAuth(rest)
		if err != nil {
			return
		}
		line, err := a.Line()
		if err != nil {
			return
		}
		back, err := ParseAuth(strings.TrimPrefix(line, "AUTH "))
		back.Command, a.Command = "", "" // may have been cut or cleaned
		if err != nil || back != a {
			t.Errorf("%q: %+v came back as %+v, %v", rest, a, back, err)
		}
	})
}

func FuzzParseVerdict(f *testing.F) {
	f.Add("allow basis=factor factor=totp rule=admins", "OK")
	f.Add("deny reason=locked", "ERR 104 wait")
	f.Add("allow basis=audit would=101", "OK")
	f.Fuzz(func(t *testing.T, status, final string) {
		v, err := ParseVerdict(status)
		if err == nil {
			v, err = v.Confirm(final)
		}
		if v.Allow && (err != nil || !strings.HasPrefix(status, "allow") || v.Basis == BasisNone || final != "OK" && !strings.HasPrefix(final, "OK ")) {
			t.Errorf("%q, %q allowed", status, final)
		}
	})
}

func FuzzLogin(f *testing.F) {
	f.Add(Greeting+"\nINQUIRE SECRET Passcode:%20\nS VERDICT allow basis=factor factor=totp\nOK\n", true)
	f.Add(Greeting+"\n"+StatusEnrolling+"\nS INFO x\nINQUIRE PROMPT First code:%20\nS VERDICT allow basis=factor factor=totp\nOK\n", false)
	f.Add(Greeting+"\nS VERDICT deny reason=denied\nERR 101 no\n", false)
	f.Fuzz(func(t *testing.T, said string, race bool) {
		v, err := Login(NewLines(&script{Reader: strings.NewReader(said)}), Auth{Race: race}, &typist{reply: ReplyAnswer})
		if v.Allow && (err != nil || !strings.Contains(said, "\nS VERDICT allow ")) {
			t.Errorf("%q allowed: %+v, %v", said, v, err)
		}
	})
}

func FuzzCall(f *testing.F) {
	f.Add("D {\"a\":1}%0A\nINQUIRE PROMPT Code:%20\nS INFO x\nOK\n")
	f.Fuzz(func(t *testing.T, said string) {
		Call(NewLines(&script{Reader: strings.NewReader(said)}), "LIST", &typist{reply: ReplyAnswer}, func([]byte) {})
	})
}

func FuzzEscape(f *testing.F) {
	f.Add("a b%\n")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := Unescape([]byte(Escape(s))); err != nil || string(p) != s {
			t.Errorf("%q came back as %q, %v", s, p, err)
		}
		if p, err := Unescape([]byte(EscapeText(s))); err != nil || string(p) != s {
			t.Errorf("text %q came back as %q, %v", s, p, err)
		}
		if strings.ContainsAny(Escape(s), " \n\r") || strings.ContainsAny(EscapeText(s), "\n\r") {
			t.Errorf("%q is not one word", s)
		}
		if p := Printable(s); !utf8.ValidString(p) || strings.ContainsAny(p, "\x1b\n\r\t") {
			t.Errorf("%q prints as %q", s, p)
		}
		l := NewLines(&script{Reader: strings.NewReader("")})
		l.PutData([]byte(s))
		for _, line := range strings.Split(string(l.out), "\n") {
			if len(line) > MaxLine {
				t.Errorf("D line of %d bytes", len(line))
			}
		}
	})
}
