package helper

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// When the program that runs PAM is killed, the helper goes, and with it the
// attempt; on old kernels too.
func TestParentDies(t *testing.T) {
	for _, mode := range []string{"helper", "old-kernel"} {
		for _, say := range []string{"INQUIRE SECRET Code:%20", "S INFO Code: look"} {
			t.Run(mode+" "+say[:1], func(t *testing.T) {
				promptly(t, func() time.Duration { return parentDies(t, mode, say) })
			})
		}
	}
}

// parentDies returns how long the helper lived on, its terminal's settings
// included.
func parentDies(t *testing.T, mode, say string) time.Duration {
	p := newPTY(t)
	ended := make(chan struct{})
	socket := serve(t, func(d *peer) {
		defer close(ended)
		d.greet()
		d.put(say)
		if got := d.line(); !strings.HasPrefix(got, "EOF") {
			t.Errorf("the helper said %q", got)
		}
	})
	parent := orphaning(t, mode, login("PAM_TTY="+p.name), "pam", "--socket", socket)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	p.until("Code: ")
	start := time.Now()
	_ = syscall.Kill(parent.Process.Pid, syscall.SIGKILL)
	_ = parent.Wait()
	<-ended
	for p.settings() != p.before && time.Since(start) < time.Second {
		time.Sleep(time.Millisecond) // the connection ends before the process does
	}
	p.restored()
	return time.Since(start)
}

// orphaning runs the helper below a shell.
func orphaning(t *testing.T, mode string, env map[string]string, args ...string) *exec.Cmd {
	helper := child(t, mode, environ(env), args...)
	parent := exec.Command("/bin/sh", append([]string{"-c", `"$@"; exit 9`, "sh", helper.Path}, args...)...)
	parent.Env = helper.Env
	return parent
}

// The wait for expose_authtok's value ends likewise.
func TestParentDiesBeforeAuthtok(t *testing.T) {
	promptly(t, func() time.Duration {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		out, readOut := pipe(t)
		parent := orphaning(t, "helper", login(), "pam", "--socket", "/nowhere")
		parent.Stdin, parent.Stdout = r, out
		if err := parent.Start(); err != nil {
			t.Fatal(err)
		}
		r.Close()
		time.Sleep(200 * time.Millisecond) // let it come to its wait
		start := time.Now()
		_ = syscall.Kill(parent.Process.Pid, syscall.SIGKILL)
		_ = parent.Wait()
		readOut() // ends when the helper has gone
		return time.Since(start)
	})
}
