package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/factord/factord/daemon/factordtest/duosim"
)

// isSimulator is set in the copy of this program that is Duo: what it costs is its
// own, and neither factord's nor the load's.
const isSimulator = "FACTORD_BENCH_DUOSIM"

// people have a phone each and wait to be told what to do with a push. The accounts
// before theirs approve at once.
const people = 3000

// waitingName is the name of the n-th who waits.
func waitingName(n int) string { return userName(active + 1 + n) }

// duo is the simulator's process, as others see it.
type duo struct {
	IKey, SKey, Host, CAFile string

	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// count is what the simulator answers.
type count struct{ Waiting, Approved int }

func startDuo(dir string) (*duo, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	d := &duo{cmd: exec.Command(self)}
	d.cmd.Env, d.cmd.Stderr = append(os.Environ(), isSimulator+"="+dir), os.Stderr
	d.cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	d.out = json.NewDecoder(out)
	return d, d.out.Decode(d)
}

func (d *duo) stop() {
	d.in.Close()
	d.cmd.Wait()
}

// do has the simulator approve all that waits, or just count it.
func (d *duo) do(what string) (c count, err error) {
	if _, err := io.WriteString(d.in, what+"\n"); err != nil {
		return c, err
	}
	return c, d.out.Decode(&c)
}

// config is [duo] for factord, with rules for pushes and for codes.
func (d *duo) config() string {
	return fmt.Sprintf("[duo]\nikey = %q\nskey = %q\nhost = %q\nca_file = %q\n", d.IKey, d.SKey, d.Host, d.CAFile) +
		"[[rule]]\nname = \"push\"\nservices = [\"push\", \"fbench-push\", \"fbench-push-server\"]\nfactors = [\"duo\"]\n" + rules
}

// simulate is the simulator's process.
func simulate(in io.Reader, out io.Writer) error {
	// Duo has machines of its own. Here it shares two processors with those that are
	// measured, so it is to need little of them.
	debug.SetGCPercent(400)
	// It offers HTTP/2, which login_duo does not speak.
	c := duosim.Config{Dir: os.Getenv(isSimulator), HTTP2: true}
	for n := range active + 1 + people {
		u := duosim.User{Name: userName(n), Devices: []duosim.Device{duosim.Phone("Phone", "")}}
		if n <= active {
			u.Answer = duosim.Approved
		}
		c.Users = append(c.Users, u)
	}
	s, err := duosim.New(c)
	if err != nil {
		return err
	}
	defer s.Close()
	say := json.NewEncoder(out)
	if err := say.Encode(duo{IKey: s.IKey(), SKey: s.SKey(), Host: s.Host(), CAFile: s.CAFile()}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		n := count{Waiting: s.Waiting()}
		if lines.Text() == "approve" {
			for _, p := range s.Pending("") {
				if s.Answer(p.Txid, duosim.Approved) == nil {
					n.Approved++
				}
			}
		}
		if err := say.Encode(n); err != nil {
			return err
		}
	}
	return nil
}

// loginDuo is Debian's program. It must be root's who reads its configuration, and it
// reads the certificate as nobody in particular.
const loginDuo = "/usr/sbin/login_duo"

func (d *duo) loginDuo(dir string) (argv func(user int) []string, err error) {
	file := filepath.Join(dir, "login_duo.conf")
	text := fmt.Sprintf("[duo]\nikey = %s\nskey = %s\nhost = %s\ncafile = %s\nfailmode = secure\n", d.IKey, d.SKey, d.Host, d.CAFile)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return func(user int) []string {
		return []string{loginDuo, "-c", file, "-f", userName(user), "true"}
	}, nil
}

var errWaits = errors.New("the pushes do not all wait")
