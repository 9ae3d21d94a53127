package factordtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/factord/factord/daemon/wire"
)

// Patience of a test with a process, and how often it looks.
const (
	startTime = 15 * time.Second
	stopLimit = 10 * time.Second
	look      = 5 * time.Millisecond
)

// module is where the programs are.
const module = "github.com/factord/factord/cmd/"

// NeedRoot skips the test unless it runs as root.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes accounts and PAM services, and starts programs for them")
	}
}

// NeedProgram returns the path of an installed program. Without it a test is
// skipped, but fails for root: CI runs as root, installs all and skips none.
func NeedProgram(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Geteuid() == 0:
		t.Fatalf("%v\nhint: install what has %s; \"make test\" does", err, name)
	}
	t.Skipf("needs %s", name)
	return ""
}

// Build returns a folder with the programs as they are shipped, which every user
// may reach. They are built once for a test process.
func Build(t testing.TB) string {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var programs = sync.OnceValues(build)

const programsPrefix = "factordtest-"

// build also removes the programs of test processes that have ended: none of
// them knows which of its tests is the last.
func build() (string, error) {
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), programsPrefix+"*-*"))
	for _, dir := range old {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), programsPrefix), "-")
		if pid, err := strconv.Atoi(owner); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			os.RemoveAll(dir)
		}
	}
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", programsPrefix, os.Getpid()))
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		return "", err
	}
	for _, name := range []string{"factord", "factor-helper", "factorctl"} {
		if err := buildOne(dir, name); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// USB returns factord-usb, built beside factord, which then finds it there.
func USB(t testing.TB) string {
	t.Helper()
	path, err := usbProgram()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var usbProgram = sync.OnceValues(func() (string, error) {
	dir, err := programs()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "factord-usb"), buildOne(dir, "factord-usb")
})

func buildOne(dir, name string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, name), module+name)
	cmd.Env = os.Environ()
	if name != "factord" && name != "factord-usb" { // which need the C library: NSS, pcscd
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	out, err := cmd.CombinedOutput()
	if err != nil && name == "factorctl" && strings.Contains(string(out), "no Go files in") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return nil
}

// OpenDir returns a temporary folder that every user may reach, unlike
// testing.T's.
func OpenDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "factord-")
	if err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// SmallDisk mounts a file system of its own, in memory, that every user may reach;
// size is as in tmpfs(5). What is written there waits for no disk. It needs root.
func SmallDisk(t testing.TB, size string) string {
	t.Helper()
	dir := OpenDir(t)
	if err := syscall.Mount("none", dir, "tmpfs", 0, "mode=755,size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// ProcessOptions of a factord with a process of its own. The zero value is a
// good start.
type ProcessOptions struct {
	Config string   // TOML; AnyRule if empty
	Dir    string   // what every user may reach; a new one if empty
	State  string   // Dir/state if empty; a database is made if there is none
	Wrap   []string // a command that becomes factord, or traces it: "strace", "-D", …
	Env    []string // beside the test's own
}

// Process is the real factord, in a folder of its own.
type Process struct {
	Dir, Socket, State string
	ConfigFile         string
	LogFile            string

	t       testing.TB
	options ProcessOptions
	cmd     *exec.Cmd
	ended   chan struct{} // closed when cmd has been waited for
}

// Prepare makes the folder, the state and the configuration of a factord, and
// does not start it.
func Prepare(t testing.TB, o ProcessOptions) *Process {
	t.Helper()
	if o.Dir == "" {
		o.Dir = OpenDir(t)
	}
	if o.State == "" {
		o.State = filepath.Join(o.Dir, "state")
	}
	if o.Config == "" {
		o.Config = AnyRule
	}
	p := &Process{t: t, options: o, Dir: o.Dir, State: o.State, Socket: filepath.Join(o.Dir, "f.sock"),
		ConfigFile: filepath.Join(o.Dir, "factord.toml"), LogFile: filepath.Join(o.Dir, "log")}
	p.Configure(o.Config)
	if _, err := os.Lstat(filepath.Join(o.State, "factord.db")); err != nil {
		out, err := exec.Command(filepath.Join(Build(t), "factord"), "--init", "--state", o.State).CombinedOutput()
		if err != nil {
			t.Fatalf("factord --init: %v\n%s", err, out)
		}
	}
	t.Cleanup(p.end)
	return p
}

// StartProcess starts a factord that ends with the test.
func StartProcess(t testing.TB, o ProcessOptions) *Process {
	t.Helper()
	p := Prepare(t, o)
	p.Start()
	return p
}

// Args are the program and the arguments of factord.
func (p *Process) Args() []string {
	return []string{filepath.Join(Build(p.t), "factord"), "--config", p.ConfigFile, "--state", p.State, "--socket", p.Socket}
}

// Start starts factord and returns when it greets.
func (p *Process) Start() {
	p.t.Helper()
	p.Launch(append(append([]string{}, p.options.Wrap...), p.Args()...)...)
	p.Await()
}

// Await waits until factord greets.
func (p *Process) Await() {
	p.t.Helper()
	for deadline := time.Now().Add(startTime); ; time.Sleep(look) {
		if p.greets() == nil {
			return
		}
		select {
		case <-p.ended:
			p.t.Fatalf("factord ended at once: %v\n%s", p.cmd.ProcessState, p.Log())
		default:
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("factord does not greet\n%s", p.Log())
		}
	}
}

// Launch starts a command as factord's process, and does not wait for it to
// listen.
func (p *Process) Launch(argv ...string) {
	p.t.Helper()
	log, err := os.OpenFile(p.LogFile, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	cmd, ended := exec.Command(argv[0], argv[1:]...), make(chan struct{})
	cmd.Env = append(os.Environ(), p.options.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() { defer close(ended); cmd.Wait() }()
	p.cmd, p.ended = cmd, ended
}

func (p *Process) greets() error {
	c, err := Dial(p.Socket, -1)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	return wire.Greet(wire.NewLines(c))
}

// Configure writes another configuration; SIGHUP puts it in force.
func (p *Process) Configure(text string) {
	p.t.Helper()
	if err := os.WriteFile(p.ConfigFile, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// Signal sends a signal to factord alone.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// Hangup sends SIGHUP and waits until the log says what came of it.
func (p *Process) Hangup() {
	p.t.Helper()
	told := func() int {
		log := p.Log()
		return strings.Count(log, "configuration read again") + strings.Count(log, "configuration is refused")
	}
	before := told()
	p.Signal(syscall.SIGHUP)
	for deadline := time.Now().Add(stopLimit); told() == before; time.Sleep(look) {
		if time.Now().After(deadline) {
			p.t.Fatalf("no word of the new configuration\n%s", p.Log())
		}
	}
}

// Stop ends factord with SIGTERM; not to exit with status 0 then is an error.
func (p *Process) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	if code := p.Wait(stopLimit); code != 0 {
		p.t.Fatalf("factord ended with %v\n%s", p.cmd.ProcessState, p.Log())
	}
}

// Kill9 kills factord and waits until it is gone.
func (p *Process) Kill9() {
	p.t.Helper()
	p.Signal(syscall.SIGKILL)
	p.Wait(stopLimit)
}

// Wait returns factord's exit status, -1 if a signal ended it.
func (p *Process) Wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		p.t.Fatalf("factord does not end in %v\n%s", limit, p.Log())
	}
	return p.cmd.ProcessState.ExitCode()
}

// Running reports whether factord has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// end is the clean-up.
func (p *Process) end() {
	if p.cmd != nil && p.Running() {
		p.cmd.Process.Kill()
		<-p.ended
	}
	if p.t.Failed() {
		p.t.Logf("log of %s:\n%s", p.Socket, p.Log())
	}
}

// Log returns what factord has logged.
func (p *Process) Log() string {
	text, _ := os.ReadFile(p.LogFile)
	return string(text)
}

// MustEnroll enrols a user as root, without a first code.
func (p *Process) MustEnroll(user, kind string, options ...string) Token {
	p.t.Helper()
	return MustEnroll(p.t, p.Socket, user, kind, options...)
}

// Login asks for a verdict as uid, -1 for the test's own.
func (p *Process) Login(uid int, a wire.Auth, answers ...string) wire.Verdict {
	p.t.Helper()
	v, err := Login(p.Socket, uid, a, &Talk{Answers: answers})
	if err != nil {
		p.t.Fatalf("logging in: %v", err)
	}
	return v
}

// MustCall sends a management command as root and decodes its lines of data.
func (p *Process) MustCall(command string) []map[string]any {
	p.t.Helper()
	lines, err := Call(p.Socket, -1, command)
	if err != nil {
		p.t.Fatalf("%s: %v", command, err)
	}
	var all []map[string]any
	for _, line := range lines {
		m := map[string]any{}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			p.t.Fatalf("%s: %v in %q", command, err, line)
		}
		all = append(all, m)
	}
	return all
}

// Connections returns how many connections factord has beside the one that asks.
func (p *Process) Connections() int {
	p.t.Helper()
	n, _ := p.MustCall(wire.VerbStatus)[0]["connections"].(float64)
	return int(n) - 1
}

// AwaitConnections waits until factord has n connections and returns how long
// that took.
func (p *Process) AwaitConnections(n int, limit time.Duration) time.Duration {
	p.t.Helper()
	begun := time.Now()
	for p.Connections() != n {
		if time.Since(begun) > limit {
			p.t.Fatalf("after %v factord has %d connections, want %d", limit, p.Connections(), n)
		}
		time.Sleep(look)
	}
	return time.Since(begun)
}
