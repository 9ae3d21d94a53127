package factordtest

import (
	"encoding/json"
	"fmt"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/factord/factord/daemon/wire"
)

// clientTime bounds every conversation of a test.
const clientTime = 30 * time.Second

// Dial connects to a socket as the given uid; -1 is the test's own. The kernel
// notes a thread's credentials at connect, so a thread takes the uid on, and
// ends.
func Dial(socket string, uid int) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result)
	go func() {
		if uid >= 0 {
			runtime.LockOSThread() // never unlocked: the thread ends with its uid
			if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); e != 0 {
				done <- result{err: e}
				return
			}
		}
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.SetDeadline(time.Now().Add(clientTime))
		}
		done <- result{c, err}
	}()
	r := <-done
	return r.conn, r.err
}

// Talk is a scripted person: it gives its answers in turn, then cancels.
type Talk struct {
	Answers []string
	// AuthInfo is the SSH_AUTH_INFO_0 to show when factord asks for it.
	AuthInfo string
	Shown    []string // infos and questions, as they came
}

// Info implements wire.Conversation.
func (p *Talk) Info(text string) { p.Shown = append(p.Shown, text) }

// Ask implements wire.Conversation.
func (p *Talk) Ask(kind, text string) ([]byte, wire.Reply) {
	if kind == wire.AuthInfo {
		if p.AuthInfo == "" {
			return nil, wire.ReplyCancel
		}
		return []byte(p.AuthInfo), wire.ReplyAnswer
	}
	p.Shown = append(p.Shown, text)
	if len(p.Answers) == 0 {
		return nil, wire.ReplyCancel
	}
	answer := p.Answers[0]
	p.Answers = p.Answers[1:]
	return []byte(answer), wire.ReplyAnswer
}

// Login asks for a verdict with the given answers. Conv is prompt unless a says
// otherwise.
func Login(socket string, uid int, a wire.Auth, p *Talk) (wire.Verdict, error) {
	if a.Conv == wire.ConvNone {
		a.Conv = wire.ConvPrompt
	}
	return Converse(socket, uid, a, p)
}

// Converse is Login with any conversation, and with a as it is.
func Converse(socket string, uid int, a wire.Auth, p wire.Conversation) (wire.Verdict, error) {
	c, err := Dial(socket, uid)
	if err != nil {
		return wire.Verdict{}, err
	}
	defer c.Close()
	return wire.Login(wire.NewLines(c), a, p)
}

// Login asks for a verdict as root, with the given answers.
func (d *Daemon) Login(a wire.Auth, answers ...string) wire.Verdict {
	d.t.Helper()
	return d.LoginAs(-1, a, answers...)
}

// LoginAs is Login as another uid.
func (d *Daemon) LoginAs(uid int, a wire.Auth, answers ...string) wire.Verdict {
	d.t.Helper()
	v, err := Login(d.Socket, uid, a, &Talk{Answers: answers})
	if err != nil {
		d.t.Fatalf("logging in: %v", err)
	}
	return v
}

// Call sends a management command as uid and returns its data lines.
func Call(socket string, uid int, command string, answers ...string) ([]string, error) {
	c, err := Dial(socket, uid)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	l := wire.NewLines(c)
	if err := wire.Greet(l); err != nil {
		return nil, err
	}
	var data []string
	err = wire.Call(l, command, &Talk{Answers: answers}, func(line []byte) { data = append(data, string(line)) })
	return data, err
}

// Token is what an enrolment returned.
type Token struct {
	ID     string   `json:"id"`
	Factor string   `json:"factor"`
	Name   string   `json:"name"`
	URI    string   `json:"uri"`
	Codes  []string `json:"codes"`
}

// Secret returns the base32 secret of a token.
func (tok Token) Secret() string {
	_, rest, _ := strings.Cut(tok.URI, "secret=")
	secret, _, _ := strings.Cut(rest, "&")
	return secret
}

// MustEnroll enrols a user as root, without a first code.
func MustEnroll(t testing.TB, socket, user, kind string, options ...string) (tok Token) {
	t.Helper()
	data, err := Call(socket, -1, wire.Command(wire.VerbEnroll, append([]string{"factor", kind, "user", user, "no-confirm", "1"}, options...)...))
	if err == nil {
		err = json.Unmarshal([]byte(data[0]), &tok)
	}
	if err != nil {
		t.Fatalf("enrolling %s for %s: %v", kind, user, err)
	}
	return tok
}

// MustEnroll enrols a user in this daemon.
func (d *Daemon) MustEnroll(user, kind string, options ...string) Token {
	d.t.Helper()
	return MustEnroll(d.t, d.Socket, user, kind, options...)
}

// MustCall sends a management command as root and returns its first data line.
func (d *Daemon) MustCall(command string, answers ...string) string {
	d.t.Helper()
	data, err := Call(d.Socket, -1, command, answers...)
	if err != nil {
		d.t.Fatalf("%s: %v", command, err)
	}
	return fmt.Sprint(strings.Join(data, "\n"))
}
