package pam_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// cancelTime is how long anything may go on behind a login that has ended.
const cancelTime = 200 * time.Millisecond

// sudoLab is a lab whose person may use sudo, under a snippet.
func sudoLab(t *testing.T, snippet string) *lab {
	t.Helper()
	factordtest.NeedRoot(t)
	factordtest.NeedProgram(t, "sudo")
	l := newLab(t, factordtest.ProcessOptions{})
	pamtest.Sudoer(t, l.who, pamtest.Service(t, l.snippet(snippet)))
	return l
}

// sudo starts "sudo id -un" on a terminal of its own.
func (l *lab) sudo() *pamtest.Terminal {
	l.t.Helper()
	x := pamtest.NewTerminal(l.t)
	x.Start(&l.who, "sudo", "/usr/bin/id", "-un")
	return x
}

// sudoAtCode starts sudo and gets as far as factor-helper's question.
func (l *lab) sudoAtCode() *pamtest.Terminal {
	l.t.Helper()
	x := l.sudo()
	x.Expect("[sudo] password for " + l.who.Name)
	x.Type(l.who.Password + "\r")
	x.Expect("Passcode: ")
	return x
}

func TestSudoExposeAuthtok(t *testing.T) {
	t.Parallel()
	l := sudoLab(t, "sudo-expose_authtok")
	try := func(answer string) (int, *pamtest.Terminal) {
		x := l.sudo()
		x.Expect("[sudo] password for " + l.who.Name)
		x.Type(answer + "\r")
		return x.Wait(), x
	}
	code := l.code()
	status, x := try(code)
	if x.Expect("root"); status != 0 {
		t.Errorf("right code: exit %d\n%s", status, x.Screen())
	}
	l.lastRecord(map[string]string{"verdict": "allow", "factor": "totp", "ruser": l.who.Name, "tty": x.Name})
	for _, answer := range []string{l.wrong(), code, l.who.Password} {
		if status, x := try(answer); status != 1 {
			t.Errorf("%q: exit %d\n%s", answer, status, x.Screen())
		}
		l.lastRecord(map[string]string{"verdict": "deny"})
	}
}

func TestSudoOnTerminal(t *testing.T) {
	t.Parallel()
	l := sudoLab(t, "sudo-pam_exec")
	x := l.sudoAtCode()
	code := l.code()
	x.Type(code + "\r")
	x.Expect("root")
	if status := x.Wait(); status != 0 {
		t.Errorf("right code: exit %d", status)
	}
	if bytes.Contains([]byte(x.Screen()), []byte(code)) {
		t.Errorf("the code is on the screen:\n%s", x.Screen())
	}
	l.lastRecord(map[string]string{"verdict": "allow", "factor": "totp", "tty": x.Name})

	x = l.sudoAtCode()
	x.Type(l.wrong() + "\r")
	x.Expect("wrong code")
	x.Expect("Passcode: ") // an attempt has three answers
	x.Type(code + "\r")
	x.Expect("used already")
	x.Expect("Passcode: ")
	x.Type(l.code() + "\r")
	if x.Expect("root"); x.Wait() != 0 {
		t.Errorf("right code at last:\n%s", x.Screen())
	}
}

// Who uses up their backup codes hears of it where they are.
func TestSudoTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	l := sudoLab(t, "sudo-pam_exec")
	set := l.MustEnroll(l.who.Name, "backup")
	for i, left := range []string{"9 backup codes left", "8 backup codes left"} {
		x := l.sudoAtCode()
		x.Type(set.Codes[i] + "\r")
		x.Expect(left)
		x.Expect("root")
		if status := x.Wait(); status != 0 {
			t.Errorf("exit %d\n%s", status, x.Screen())
		}
	}
}

func TestSudoWrongCode(t *testing.T) {
	t.Parallel()
	l := sudoLab(t, "sudo-pam_exec")
	x := l.sudoAtCode()
	for range 2 {
		x.Type(l.wrong() + "\r")
		x.Expect("wrong code")
		x.Expect("Passcode: ")
	}
	x.Type(l.wrong() + "\r")
	x.Expect("too many wrong answers")
	if status := x.Wait(); status != 1 {
		t.Errorf("exit %d\n%s", status, x.Screen())
	}
	l.lastRecord(map[string]string{"verdict": "deny", "reason": "attempts"})
}

// Ctrl-C ends the attempt at once; sudo follows after the pause that pam_unix
// asks for when a stack fails.
func TestSudoInterrupted(t *testing.T) {
	t.Parallel()
	l := sudoLab(t, "sudo-pam_exec")
	best := time.Hour
	for range 3 {
		x := l.sudoAtCode()
		begun := time.Now()
		x.Type("\x03")
		x.Expect("ancelled")
		l.AwaitConnections(0, 2*time.Second)
		best = min(best, time.Since(begun))
		if status := x.Wait(); status == 0 {
			t.Errorf("exit %d\n%s", status, x.Screen())
		}
	}
	if best > cancelTime {
		t.Errorf("factord drops the attempt %v after Ctrl-C", best)
	}
	if records := l.audit(); len(records) != 1 { // of the enrolment
		t.Errorf("a cancelled prompt is in the audit ring: %v", records)
	}
}

// When sudo is killed at the prompt, nothing of the login stays. Not parallel:
// it looks at the time.
func TestSudoKilled(t *testing.T) {
	l := sudoLab(t, "sudo-pam_exec")
	best := time.Hour
	for range 3 {
		x := l.sudoAtCode()
		helper := child(t, x.PID())
		if l.Connections() != 1 {
			t.Errorf("%d connections at the prompt", l.Connections())
		}
		begun := time.Now()
		x.Kill()
		l.AwaitConnections(0, 2*time.Second)
		pamtest.Await(t, "the helper's end", 2*time.Second, func() bool { return ended(helper) })
		best = min(best, time.Since(begun))
		x.Wait()
	}
	if best > cancelTime {
		t.Errorf("helper and connection are gone %v after sudo", best)
	}
}

// child is the one process that another has started.
func child(t *testing.T, parent int) (found int) {
	t.Helper()
	for _, path := range processes() {
		if fields := stat(path); len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			if found != 0 {
				t.Fatalf("process %d has several children", parent)
			}
			found, _ = strconv.Atoi(filepath.Base(path))
		}
	}
	if found == 0 {
		t.Fatalf("process %d has no child", parent)
	}
	return found
}

// ended reports whether a process has ended; process 1 may not have waited for
// it yet.
func ended(pid int) bool {
	fields := stat(fmt.Sprintf("/proc/%d", pid))
	return fields == nil || fields[0] == "Z" || fields[0] == "X"
}

func processes() []string {
	paths, _ := filepath.Glob("/proc/[0-9]*")
	return paths
}

// stat is /proc/PID/stat from the state on, nil if there is no such process.
func stat(path string) (fields []string) {
	text, err := os.ReadFile(filepath.Join(path, "stat"))
	if err != nil {
		return nil
	}
	for _, f := range bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:]) {
		fields = append(fields, string(f))
	}
	return fields
}
