package reader

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// privately runs pcscd where nobody else's is: its socket has one fixed name, and vpcd
// listens on all addresses.
const privately = `set -e
ip link set lo up
mount -t tmpfs none /run
mkdir /run/pcscd
mount --bind "$1" /run/pcscd
conf=$1/conf
set --
! pcscd --help | grep -q disable-polkit || set -- --disable-polkit
exec pcscd --foreground --info --config "$conf" "$@"`

// process is a pcscd.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it was waited for
}

// launch starts pcscd, which does not outlive the test's process.
func (r *Readers) launch() (*process, error) {
	log, err := os.OpenFile(r.log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{ended: make(chan struct{})}
	p.cmd = exec.Command("unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", privately, "sh", r.dir)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// The signal comes when the thread ends that started the process.
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.cmd.Wait()
			close(p.ended)
		}
	}()
	return p, <-started
}

// Start starts pcscd again after Kill. The keys are still plugged in.
func (r *Readers) Start() {
	r.t.Helper()
	var err error
	if r.run, err = r.launch(); err != nil {
		r.t.Fatal(err)
	}
	r.eventually("pcscd listens", func() bool {
		conn, err := net.Dial("unix", r.Socket)
		if err == nil {
			conn.Close()
		}
		select {
		case <-r.run.ended:
			r.t.Fatalf("pcscd ended: %v\n%s", r.run.cmd.ProcessState, r.Log())
		default:
		}
		return err == nil
	})
	for _, k := range r.keys {
		if k != nil {
			k.plug()
		}
	}
}

// Kill kills pcscd, and returns when it is gone.
func (r *Readers) Kill() {
	r.t.Helper()
	if r.run == nil {
		return
	}
	for i, k := range r.keys {
		if k != nil && k.gone() {
			r.keys[i] = nil
		}
	}
	if err := r.run.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		r.t.Fatal(err)
	}
	<-r.run.ended
	r.run = nil
	for _, k := range r.keys {
		if k != nil {
			k.unplug()
		}
	}
}

// end is the clean-up.
func (r *Readers) end() {
	r.Kill()
	if r.t.Failed() {
		r.t.Logf("log of pcscd:\n%s", r.Log())
	}
}

// Signal sends a signal to pcscd. SIGSTOP makes it hang; calls of this package that wait
// for pcscd then hang too, but for Kill.
func (r *Readers) Signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.run.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}
