package pam_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// closing are the lines that close forwarding.
var closing = []string{"DisableForwarding", "X11Forwarding", "AllowAgentForwarding", "PermitTunnel"}

// ForceCommand does not stop forwarding, which begins no session. The snippet's
// lines do.
func TestForceCommandForwarding(t *testing.T) {
	t.Parallel()
	for name, less := range map[string][]string{"open": closing, "closed": nil} {
		g := newGate(t, gateOptions{less: append([]string{"SetEnv"}, less...)}) // bash shall show the agent
		service := inside(t)
		dir := t.TempDir()
		socks := fmt.Sprintf("127.0.0.1:%d", freePort(t))
		for _, f := range []struct {
			option, value string
			dial          func() (net.Conn, error)
		}{
			{"-L", filepath.Join(dir, "l") + ":" + service, func() (net.Conn, error) { return net.Dial("unix", filepath.Join(dir, "l")) }},
			{"-R", filepath.Join(g.home, "r") + ":" + service, func() (net.Conn, error) { return net.Dial("unix", filepath.Join(g.home, "r")) }},
			{"-D", socks, func() (net.Conn, error) { return throughSOCKS(socks, service) }},
		} {
			if got := g.forwarded(f.option, f.value, f.dial); got != (less != nil) {
				t.Errorf("%s: ssh -N %s reaches the service: %v", name, f.option, got)
			}
		}
		if r := g.ssh("-W", service, gated); (r.out == "inside") != (less != nil) {
			t.Errorf("%s: ssh -W: %+v", name, r)
		}
		if got := g.throughMaster(service); got != (less != nil) {
			t.Errorf("%s: ssh -O forward reaches the service: %v", name, got)
		}
		if g.asked() != 0 {
			t.Errorf("%s: factord was asked", name)
		}
		if got := g.agentReaches(); got != (less != nil) {
			t.Errorf("%s: an agent is forwarded: %v", name, got)
		}
	}
}

// inside is a service that a firewall would keep to the machine.
func inside(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "inside")
			c.Close()
		}
	}()
	return l.Addr().String()
}

// forwarded reports whether the service is reached through ssh -N.
func (g *gate) forwarded(option, value string, dial func() (net.Conn, error)) bool {
	g.t.Helper()
	argv := g.client("ssh", "-l", g.who.Name, "-o", "ExitOnForwardFailure=yes", "-N", option, value, gated)
	cmd, ended := exec.Command(argv[0], argv[1:]...), make(chan struct{})
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	go func() { defer close(ended); cmd.Wait() }()
	defer func() { cmd.Process.Kill(); <-ended }()
	var c net.Conn
	pamtest.Await(g.t, "ssh "+option, 20*time.Second, func() (done bool) {
		select {
		case <-ended: // the server refuses to listen
			return true
		default:
		}
		var err error
		c, err = dial()
		return err == nil
	})
	if c == nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	data, _ := io.ReadAll(c)
	return string(data) == "inside"
}

// throughMaster reports whether the service is reached by a forwarding that is
// added to a connection that is open already.
func (g *gate) throughMaster(service string) bool {
	g.t.Helper()
	share, stop := g.master()
	defer stop()
	path := filepath.Join(g.sshServer.dir, "added")
	if r := g.do("", append(share, "-O", "forward", "-L", path+":"+service, gated)...); r.status != 0 {
		g.t.Fatalf("ssh -O forward: %+v", r)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		g.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	data, _ := io.ReadAll(c)
	return string(data) == "inside"
}

// master opens a connection without a session, for ssh commands that begin with
// share.
func (g *gate) master() (share []string, stop func()) {
	g.t.Helper()
	share = g.client("ssh", "-o", "ControlPath="+filepath.Join(g.sshServer.dir, "control"), "-l", g.who.Name)
	master := exec.Command(share[0], append(share[1:], "-M", "-N", gated)...)
	if err := master.Start(); err != nil {
		g.t.Fatal(err)
	}
	pamtest.Await(g.t, "the master's socket", 20*time.Second, func() bool {
		return exec.Command(share[0], append(share[1:], "-O", "check", gated)...).Run() == nil
	})
	return share, func() { master.Process.Kill(); master.Wait() }
}

// throughSOCKS connects by SOCKS 4 (version, connect, port, address, no user) and
// takes the answer's eight bytes.
func throughSOCKS(proxy, service string) (net.Conn, error) {
	to, err := net.ResolveTCPAddr("tcp", service)
	if err != nil {
		return nil, err
	}
	c, err := net.Dial("tcp", proxy)
	if err != nil {
		return nil, err
	}
	request := append([]byte{4, 1, byte(to.Port >> 8), byte(to.Port)}, to.IP.To4()...)
	_, err = c.Write(append(request, 0))
	if err == nil {
		io.CopyN(io.Discard, c, 8)
	}
	return c, err
}

// agentReaches reports whether a forwarded agent is there before the verdict.
func (g *gate) agentReaches() bool {
	g.t.Helper()
	socket := filepath.Join(g.sshServer.dir, "agent")
	agent := exec.Command(factordtest.NeedProgram(g.t, "ssh-agent"), "-D", "-a", socket)
	if err := agent.Start(); err != nil {
		g.t.Fatal(err)
	}
	defer func() { agent.Process.Kill(); agent.Wait() }()
	pamtest.Await(g.t, "the agent's socket", 10*time.Second, func() bool { _, err := os.Stat(socket); return err == nil })
	g.put(".bashrc", "ssh-add -l >agent 2>&1\n", 0o644)
	g.ssh("-o", "IdentityAgent="+socket, "-A", gated, "true")
	text, _ := os.ReadFile(filepath.Join(g.home, "agent"))
	return string(text) == "The agent has no identities.\n"
}

// "ssh -N" is let in and asks nobody; UnusedConnectionTimeout ends it.
func TestForceCommandIdle(t *testing.T) {
	t.Parallel()
	g := newGate(t, gateOptions{more: "    UnusedConnectionTimeout 1s\n"})
	begun := time.Now()
	r := g.ssh("-N", gated)
	if took := time.Since(begun); r.status != 255 || took < time.Second || took > 20*time.Second {
		t.Errorf("%+v after %v", r, took)
	}
	if g.asked() != 0 {
		t.Error("factord was asked")
	}
}
