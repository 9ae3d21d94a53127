package pam_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
)

// raw runs a session of a client that says what OpenSSH's never does.
func (g *gate) raw(port int, ask func(*ssh.Session) error) result {
	g.t.Helper()
	pem, err := os.ReadFile(filepath.Join(g.sshServer.dir, "user"))
	if err != nil {
		g.t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		g.t.Fatal(err)
	}
	c, err := ssh.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), &ssh.ClientConfig{User: g.who.Name,
		Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		g.t.Fatal(err)
	}
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		g.t.Fatal(err)
	}
	var out, errs bytes.Buffer
	s.Stdout, s.Stderr = &out, &errs
	if err := ask(s); err != nil {
		g.t.Fatal(err)
	}
	var exit *ssh.ExitError
	if err = s.Wait(); errors.As(err, &exit) {
		return result{exit.ExitStatus(), out.String(), errs.String()}
	}
	if err != nil {
		g.t.Fatal(err)
	}
	return result{0, out.String(), errs.String()}
}

// An empty command is a command, and no login shell.
func TestForceCommandEmptyCommand(t *testing.T) {
	t.Parallel()
	g := newGate(t, gateOptions{rules: exemptUser})
	for i := range g.ports {
		if r := g.raw(g.ports[i], func(s *ssh.Session) error { return s.Start("") }); r != (result{}) {
			t.Errorf("port %d: %+v", i, r)
		}
	}
}
