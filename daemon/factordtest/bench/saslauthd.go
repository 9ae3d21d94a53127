package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// saslauthd is Cyrus SASL's server, which logs people in by PAM for mail servers and
// others. It has been started before they come; pamtester is started for each.
const saslauthd = "/usr/sbin/saslauthd"

// Names of its cases.
const (
	saslFloor = "pam_permit in saslauthd"
	saslPush  = "pam_factord in saslauthd: push"
)

// server is a saslauthd that runs.
type server struct {
	cmd *exec.Cmd
	mux string
}

var errStarts = errors.New("saslauthd does not answer")

// startSaslauthd starts a server with its socket in dir.
func startSaslauthd(dir string) (*server, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	s := &server{mux: filepath.Join(dir, "mux")}
	// -d stays in the foreground. It says more, to nobody.
	s.cmd = exec.Command(saslauthd, "-d", "-a", "pam", "-n", strconv.Itoa(duoCrowd), "-m", dir)
	// It ends with all of its process group.
	s.cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGTERM, Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for begun := time.Now(); time.Since(begun) < processTime; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("unix", s.mux); err == nil {
			c.Close()
			return s, nil
		}
	}
	s.stop()
	return nil, errStarts
}

func (s *server) stop() {
	s.cmd.Process.Signal(unix.SIGTERM)
	s.cmd.Wait()
}

// saslService writes a PAM service for saslauthd, which asks about the account too, and
// returns its name. The line's module is to ask nothing: saslauthd answers by itself.
func saslService(dir, name, line string) (string, error) {
	argv, err := service(dir, name, line+"\naccount required pam_permit.so")
	if err != nil {
		return "", err
	}
	return argv[1], nil
}

// crowd are as many people as log in at once, each at the same service.
func (s *server) crowd(service string) *crowd {
	c := &crowd{}
	for n := range duoCrowd {
		c.loops = append(c.loops, &visitor{server: s, service: service, user: userName(n)})
	}
	return c
}

// visitor logs in at a server again and again.
type visitor struct {
	server        *server
	service, user string
	sample
}

// turn logs in and notes the time.
func (v *visitor) turn() error {
	begin := time.Now()
	answer, err := v.server.ask(v.user, "password", v.service, "")
	v.times = append(v.times, time.Since(begin))
	if err == nil && !strings.HasPrefix(answer, "OK") {
		v.errors++
		v.first = fmt.Errorf("saslauthd says %q", answer)
	}
	return err
}

// ask makes a request as saslauthd(8)'s clients do: each word behind its length, 16 bits
// with the high byte first, and the answer so too. It blocks, as they do: a connection
// that is not to wait for a place in the queue of 32 would be refused.
func (s *server) ask(words ...string) (string, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	c := os.NewFile(uintptr(fd), s.mux)
	defer c.Close()
	limit := unix.NsecToTimeval(int64(processTime))
	for _, option := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} { // connect's too
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &limit); err != nil {
			return "", err
		}
	}
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: s.mux})
	}
	if err != nil {
		return "", err
	}
	var request []byte
	for _, word := range words {
		request = binary.BigEndian.AppendUint16(request, uint16(len(word)))
		request = append(request, word...)
	}
	if _, err := c.Write(request); err != nil {
		return "", err
	}
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return "", err
	}
	answer := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err = io.ReadFull(c, answer)
	return string(answer), err
}
