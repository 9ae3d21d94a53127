package pam_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// as listens with the rights of an account: it is who listens that clients see.
func (s *script) as(who pamtest.Account) {
	s.t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dir := factordtest.OpenDir(s.t)
	if err := os.Chown(dir, who.UID, who.GID); err != nil {
		s.t.Fatal(err)
	}
	s.socket = filepath.Join(dir, "f.sock")
	become := func(uid int) { // this thread alone
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); e != 0 {
			panic(e)
		}
	}
	become(who.UID)
	l, err := net.Listen("unix", s.socket)
	become(0)
	if err != nil {
		s.t.Fatal(err)
	}
	s.serve(l)
}

// Whoever else listens may not decide, and is told nothing.
func TestModuleStranger(t *testing.T) {
	t.Parallel()
	s, _ := scripted(t, build{})
	nobody, self := pamtest.NewAccount(t, ""), pamtest.NewAccount(t, "")
	s.as(nobody)
	service := s.service("")
	if got := s.asked(service, after(allow, "OK")...); !strings.Contains(got, saysUnavail) {
		t.Errorf("root asks a stranger: %q", got)
	}
	s.as(self)
	service = s.service("")
	if got := s.asked(service, after(allow, "OK")...); !strings.Contains(got, saysUnavail) {
		t.Errorf("root asks a user: %q", got)
	}
	ask := func(who pamtest.Account) string {
		_, out := run(t, "", build{wrap: []string{"setpriv", fmt.Sprint("--reuid=", who.UID), "--clear-groups"}}.command("pamtester", service, who.Name, "authenticate"))
		return out
	}
	s.lines <- after(allow, "OK")
	if got := ask(nobody); !strings.Contains(got, saysUnavail) {
		t.Errorf("a user asks another: %q", got)
	}
	s.lines <- after(allow, "OK")
	if got := ask(self); !strings.Contains(got, saysSuccess) {
		t.Errorf("a user asks what runs for them: %q", got)
	}
}

// The account that factord runs as may have a long entry in the user database.
func TestModuleLongEntry(t *testing.T) {
	t.Parallel()
	s, _ := scripted(t, build{})
	who := pamtest.NewAccount(t, "")
	s.as(who)
	service := s.service("")
	dir := factordtest.OpenDir(t)
	for _, size := range []int{10, 20_000} {
		entry := fmt.Sprintf("root:x:0:0::/root:/bin/sh\nfactord:x:%d:%d:%s:/:/bin/false\n", who.UID, who.GID, strings.Repeat("x", size))
		etc := filepath.Join(dir, fmt.Sprint(size))
		if err := os.WriteFile(etc+".passwd", []byte(entry), 0o644); err != nil {
			t.Fatal(err)
		}
		// All of /etc: a mount on the file alone is gone when another test adds an account.
		s.build.wrap = []string{"unshare", "-m", "sh", "-c", `cp -a /etc "$0"; cp "$0.passwd" "$0/passwd" && mount --bind "$0" /etc && exec "$@"`, etc}
		if got := s.asked(service, after(allow, "OK")...); !strings.Contains(got, saysSuccess) {
			t.Errorf("an entry of %d characters: %q", size, got)
		}
	}
}

// An attempt ends at its time, whatever factord does and however long a person
// thinks; nothing is believed after it.
func TestModuleDeadline(t *testing.T) {
	t.Parallel()
	endless := slices.Repeat([]string{strings.Repeat("S INFO still here\n", 100)}, 1_000_000)
	for name, lines := range map[string][]string{
		"silence":   {"OK factord 1\n", "<", "<"},
		"mute":      {"<"},
		"enrolling": append(after("S ENROLLING"), "<"), // timeout= stays the cap
		"no end":    append([]string{"OK factord 1\n", "<"}, endless...),
		"an answer": append(after("INQUIRE SECRET Passcode:%20"), "<", "<", allow+"\nOK\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := scripted(t, build{})
			s.lines <- lines
			begun := time.Now()
			got := build{}.app(t, s.service("timeout=1 conv=flush"), "root", "behaviour=sleeps", "authenticate")
			if !strings.HasSuffix(got, "authenticate: "+saysUnavail+"\n") || !strings.Contains(got, "shown: Timed out.") {
				t.Errorf("%.1000q", got)
			}
			if took := time.Since(begun); took > 4*time.Second || took < time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// Where nobody can be asked, nobody is: not even by a factord that asks.
func TestModuleAsksNobody(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"conv=none", "conv=info"} {
		s, _ := scripted(t, build{})
		s.lines <- append(after("INQUIRE SECRET Passcode:%20"), "<", allow+"\nOK\n")
		if got := (build{}).app(t, s.service(args), "root", "authenticate"); got != "authenticate: Success\n" {
			t.Errorf("%s: %q", args, got)
		}
	}
	s, _ := scripted(t, build{})
	s.lines <- append(after("INQUIRE PROMPT Name:%20"), "<", allow+"\nOK\n")
	if got := (build{}).app(t, s.service(""), "root", "acct_mgmt"); got != "acct_mgmt: Success\n" {
		t.Errorf("account: %q", got)
	}
}

// What an earlier attempt has shown does not count for a later one that was
// refused.
func TestModuleMarkRefused(t *testing.T) {
	t.Parallel()
	s, _ := scripted(t, build{})
	s.lines <- after(allow, "OK")
	s.lines <- after(deny, "ERR 101 denied")
	s.lines <- after(deny, "ERR 101 denied")
	got := build{}.app(t, s.service(""), "root", "authenticate", "authenticate", "acct_mgmt")
	if !strings.HasSuffix(got, "acct_mgmt: "+saysAuthErr+"\n") {
		t.Errorf("%q", got)
	}
}

// What another factord has heard opens no gate of this one.
func TestModuleMarkElsewhere(t *testing.T) {
	t.Parallel()
	one, _ := scripted(t, build{})
	other, _ := scripted(t, build{})
	one.lines <- after(allow, "OK")
	other.lines <- after(deny, "ERR 101 denied")
	line := "%s required " + build{}.module(t) + " socket=%s gate\n"
	service := pamtest.Service(t, fmt.Sprintf(line, "auth", one.socket)+fmt.Sprintf(line, "account", other.socket))
	if got := (build{}).app(t, service, "root", "authenticate", "acct_mgmt"); !strings.HasSuffix(got, "acct_mgmt: "+saysAuthErr+"\n") {
		t.Errorf("%q", got)
	}
}
