package pam_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// sshServer is sshd with a folder of its own: keys, configuration and log.
type sshServer struct {
	t     *testing.T
	dir   string
	ports []int
}

// clientConfig makes a port of the server a host of the client; nothing of the
// machine's own keys and settings counts. The key exchange is the quick one.
const clientConfig = `Host port%d
Port %d

`

const clientDefaults = `Host *
HostName 127.0.0.1
IdentityFile %s/user
IdentitiesOnly yes
IdentityAgent none
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
KexAlgorithms curve25519-sha256
LogLevel ERROR
`

// newSSHServer makes keys, takes n free ports, and writes the clients'
// configuration: each port is a host, port0, port1.
func newSSHServer(t *testing.T, n int) sshServer {
	t.Helper()
	s := sshServer{t: t, dir: factordtest.OpenDir(t)}
	hosts := ""
	for i := range n {
		s.ports = append(s.ports, freePort(t))
		hosts += fmt.Sprintf(clientConfig, i, s.ports[i])
	}
	for _, key := range []string{"host", "user"} {
		if status, out := run(t, "", exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(s.dir, key))); status != 0 {
			t.Fatalf("ssh-keygen: %s", out)
		}
	}
	s.write("client", hosts+fmt.Sprintf(clientDefaults, s.dir))
	return s
}

// Ports below those that the kernel gives to clients: a connection of another
// test must not have one when sshd wants it. None is used twice in this process.
const firstPort, lastPort = 10_000, 30_000

var nextPort = func() *atomic.Int64 {
	n := new(atomic.Int64)
	n.Store(rand.Int64N(lastPort - firstPort))
	return n
}()

// freePort is a port on which nobody listens.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		port := firstPort + int(nextPort.Add(1)%(lastPort-firstPort))
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
			return port
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
}

// greets reports whether it is sshd that listens on a port.
func greets(port int) bool {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	var banner [4]byte
	_, err = io.ReadFull(c, banner[:])
	return err == nil && string(banner[:]) == "SSH-"
}

func (s sshServer) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// client is the command line of an OpenSSH client of this server.
func (s sshServer) client(program string, args ...string) []string {
	return append([]string{program, "-F", filepath.Join(s.dir, "client")}, args...)
}

// start starts sshd under the name of a PAM service, and so with that service, by way of
// a command if there is one.
func (s sshServer) start(service, config string, wrap ...string) {
	s.t.Helper()
	sshd := factordtest.NeedProgram(s.t, "/usr/sbin/sshd")
	s.write("config", config)
	program := filepath.Join(s.dir, service)
	if err := os.Symlink(sshd, program); err != nil {
		s.t.Fatal(err)
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		s.t.Fatal(err)
	}
	log := filepath.Join(s.dir, "log")
	argv := append(wrap, program, "-D", "-f", filepath.Join(s.dir, "config"), "-E", log)
	// From OpenSSH 9.8 on the name says nothing, and who has failed often is not heard.
	newer := []string{"-o", "PAMServiceName=" + service, "-o", "PerSourcePenalties=no"}
	if exec.Command(sshd, append([]string{"-G", "-f", "/dev/null"}, newer...)...).Run() == nil {
		argv = append(argv, newer...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if text, _ := os.ReadFile(log); s.t.Failed() {
			s.t.Logf("sshd:\n%s", text)
		}
	})
	for _, port := range s.ports {
		pamtest.Await(s.t, "sshd's start", 20*time.Second, func() bool { return greets(port) })
	}
}
