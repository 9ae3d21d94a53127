package pam_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/pam/pamtest"
)

// helperRuns reports whether the person has a factor-helper. What has ended and
// is not yet waited for by init does not count.
func (g *gate) helperRuns() bool {
	want := regexp.MustCompile(fmt.Sprintf(`(?s)^Name:\tfactor-helper\n.*State:\t[^Z].*\nUid:\t%d\t`, g.who.UID))
	all, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, path := range all {
		if status, err := os.ReadFile(path); err == nil && want.Match(status) {
			return true
		}
	}
	return false
}

// A client that is killed while it is asked ends the helper and the attempt,
// whichever shell is between sshd and the helper.
func TestForceCommandClientKilled(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "dash", "fish"} {
		g := newGate(t, gateOptions{shell: factordtest.NeedProgram(t, shell)})
		g.killed(shell+" with a terminal", func() func() {
			x := g.onTerminal("-tt", gated, "touch ran")
			x.Expect("Passcode: ")
			return x.Kill
		})
	}
}

// killed starts a client, kills it when the helper waits, and fails the test
// unless helper and attempt end in time. A loaded machine gets three tries.
func (g *gate) killed(what string, start func() (kill func())) {
	g.t.Helper()
	var took []time.Duration
	for range 3 {
		kill := start()
		if !g.helperRuns() {
			g.t.Fatalf("%s: there is no helper", what)
		}
		begun := time.Now()
		kill()
		pamtest.Await(g.t, what+": the helper's end", 5*time.Second, func() bool { return !g.helperRuns() })
		took = append(took, time.Since(begun))
		if g.Running() {
			g.AwaitConnections(0, time.Second)
		}
		if _, err := os.Stat(filepath.Join(g.home, "ran")); err == nil {
			g.t.Errorf("%s: the command ran", what)
		}
		if took[len(took)-1] <= cancelTime {
			return
		}
	}
	g.t.Errorf("%s: the helper ended after %v", what, took)
}

// The same without a terminal, where no signal comes. What keeps the helper
// waiting there is a push or a touch.
func TestForceCommandClientKilledWithoutTerminal(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "dash", "fish"} {
		g := newGate(t, gateOptions{shell: factordtest.NeedProgram(t, shell), less: []string{"MaxSessions"}})
		waits := g.becomeSilent()
		g.killed(shell+" without a terminal", func() func() {
			return g.waiting(waits, g.client("ssh", "-l", g.who.Name, gated, "touch ran"))
		})
		// The connection stays: one client of a ControlMaster is killed.
		share, stop := g.master()
		g.killed(shell+" behind a master", func() func() {
			return g.waiting(waits, append(share, gated, "touch ran"))
		})
		stop()
	}
}

// waiting starts a client and returns when its helper waits for factord.
func (g *gate) waiting(waits <-chan string, argv []string) (kill func()) {
	g.t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	select {
	case <-waits:
	case <-time.After(20 * time.Second):
		g.t.Fatal("the helper asks nothing")
	}
	return func() { cmd.Process.Kill(); cmd.Wait() }
}

// becomeSilent puts a factord into the place of the real one that greets, hears
// AUTH and says no more. Each AUTH is sent on.
func (g *gate) becomeSilent() <-chan string {
	g.t.Helper()
	g.Kill9()
	os.Remove(g.Socket)
	l, err := net.Listen("unix", g.Socket)
	if err == nil {
		err = os.Chmod(g.Socket, 0o666)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { l.Close() })
	waits := make(chan string)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			lines := bufio.NewScanner(conn)
			fmt.Fprintln(conn, wire.Greeting)
			lines.Scan()
			waits <- lines.Text()
			for lines.Scan() {
			}
			conn.Close()
		}
	}()
	return waits
}
