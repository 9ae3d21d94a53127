package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/factord/factord/cmd/factorctl/client"
)

const (
	// startTime and stopTime are how long factord may take to start and stop.
	startTime = 10 * time.Second
	stopTime  = 5 * time.Second
	// maxFolder is the longest name of a folder whose socket can be reached.
	maxFolder = 80
)

const config = `[totp]
issuer = "factord demo"

[[rule]]
name = "demo"
services = ["demo"]
users = [%s]
callers = ["root", "user"]
factors = [%s]
`

// sandbox is a factord with a folder of its own.
type sandbox struct {
	client.Client
	dir             string
	factord, helper string // programs
	// namespace: factord runs in a user namespace in which the user who runs
	// the demo is uid 0. It sees that user's requests as root's, so that the
	// demo can do what an administrator does.
	namespace bool
	process   *exec.Cmd
	ended     chan struct{} // closed when factord has ended
	log       *os.File
	duo       *duo // nil: none is simulated
}

// open makes a folder and starts factord in it.
func open(ctx context.Context, user string) (*sandbox, error) {
	b := &sandbox{namespace: os.Geteuid() != 0}
	// A process that forbids core dumps may not write the uid map of its
	// children. The secrets of a demo are worth nothing after it.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		b.namespace = false
	}
	var err error
	if b.factord, err = find("factord"); err != nil {
		return nil, err
	}
	if b.helper, err = find("factor-helper"); err != nil {
		return nil, err
	}
	if b.dir, err = folder(); err != nil {
		return nil, err
	}
	b.Socket = filepath.Join(b.dir, "factord.sock")
	if err := b.start(ctx, user); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func folder() (string, error) {
	parent := os.TempDir()
	if len(parent) > maxFolder {
		parent = "/tmp"
	}
	return os.MkdirTemp(parent, "factord-demo-")
}

// start makes the state and the configuration, and starts factord.
func (b *sandbox) start(ctx context.Context, user string) error {
	file := filepath.Join(b.dir, "factord.toml")
	var err error
	if b.duo, err = b.startDuo(ctx, user); err != nil {
		return err
	}
	text, factors := "", `"totp", "backup"`
	if b.duo != nil {
		text, factors = b.duo.config, `"duo", `+factors
	}
	if err := os.WriteFile(file, fmt.Appendf([]byte(text), config, strconv.Quote(user), factors), 0o600); err != nil {
		return err
	}
	if err := b.initialise(ctx); err != nil {
		return err
	}
	if b.log, err = os.Create(filepath.Join(b.dir, "factord.log")); err != nil {
		return err
	}
	b.process = b.command(ctx, "--config", file, "--state", b.state(), "--socket", b.Socket)
	b.process.Stderr = b.log
	if err := b.process.Start(); err != nil {
		b.process = nil
		return fmt.Errorf("starting factord: %w", err)
	}
	b.ended = make(chan struct{})
	go func() { b.process.Wait(); close(b.ended) }()
	return b.await(ctx)
}

func (b *sandbox) state() string { return filepath.Join(b.dir, "state") }

// initialise runs factord --init. Where the kernel does not let users make a
// namespace, factord goes without.
func (b *sandbox) initialise(ctx context.Context) error {
	var said bytes.Buffer
	run := func() error {
		cmd := b.command(ctx, "--init", "--state", b.state())
		cmd.Stderr = &said
		return cmd.Run()
	}
	err := run()
	var exit *exec.ExitError
	if b.namespace && err != nil && !errors.As(err, &exit) {
		b.namespace = false
		err = run()
	}
	if err != nil {
		return fmt.Errorf("factord --init: %w\n%s", err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// command is a call of factord that ends with ctx, by SIGTERM.
func (b *sandbox) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.factord, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // no sockets of systemd, no credentials
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true, // Ctrl-C is for the demo, which stops factord itself
		Pdeathsig: syscall.SIGTERM,
	}
	if b.namespace {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return cmd
}

// await waits until factord listens.
func (b *sandbox) await(ctx context.Context) error {
	for begun := time.Now(); time.Since(begun) < startTime; {
		if c, err := net.Dial("unix", b.Socket); err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-b.ended:
			said, _ := os.ReadFile(b.log.Name())
			return fmt.Errorf("factord did not start:\n%s", bytes.TrimSpace(said))
		case <-time.After(5 * time.Millisecond):
		}
	}
	return fmt.Errorf("factord did not listen within %v", startTime)
}

// close ends factord and removes the folder.
func (b *sandbox) close() {
	if b.process != nil {
		b.process.Process.Signal(syscall.SIGTERM)
		select {
		case <-b.ended:
		case <-time.After(stopTime):
			b.process.Process.Kill()
			<-b.ended
		}
	}
	if b.duo != nil {
		b.duo.stop()
	}
	if b.log != nil {
		b.log.Close()
	}
	os.RemoveAll(b.dir)
}
