package pam_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/pam/pamtest"
)

// What is shown under which program (+), and why not (a number, below). What runs for
// every program does so for a new one too, which is one more function in programs.
//
//	                                              sshd sudo login su locker
//	right, wrong three times, replayed, backup     +    +    +    +    +    TestModulePrograms
//	password before, password after                +    +    +    +    +    TestModulePrograms
//	two modules in a stack, stacks with jumps      +    +    +    +    +    TestModulePrograms
//	sufficient, sufficient and exempt              +    +    +    +    +    TestModulePrograms
//	locked, and a backup code; unlocked by root    +    +    +    +    +    TestModuleLocked
//	killed at the question: over in 200 ms         +    +    +    +    +    TestModuleProgramsLeft
//	Ctrl-C at the question: over in 200 ms         +    +    +    +    +    TestModuleProgramsLeft
//	Ctrl-C in a wait                               1    +    +    +    +    TestModuleCueLeft, TestModuleInterrupted
//	daemon killed at the question, socket absent   +    +    +    +    +    TestModuleProgramsGone
//	SIGCHLD ignored, RLIMIT_NOFILE at 20000        +    +    +    +    +    TestModuleProgramsInherit, TestModuleCloses
//	the cue is seen before the wait                +    +    +    +    +    TestModuleCue
//	the program's own time is over at the question +    +    +    2    2    TestModuleProgramGivesUp
//	the program's own time is over in a wait       +    2    +    2    2    TestModuleProgramGivesUpWaiting
//	no terminal                                    +    +    +    +    +    TestModuleUnattended, …SSH
//	BatchMode                                      +    3    3    3    3    TestModuleUnattendedSSH
//	ssh -q, -T; -N and -W after a code             +    3    3    3    3    TestModuleSSHClients
//	ssh -N and -W with a key alone, and gate       +    3    3    3    3    TestModuleGateSSH
//	ControlMaster                                  +    3    3    3    3    TestModuleSSHMultiplexed
//	descriptors that the session gets              +    +    4    4    4    TestModuleSessionFiles, TestModuleHighDescriptor
//	the snippet as it is shipped                   +    +    +    +    +    TestModuleSSH, …Sudo, …Login, …Su, …Locker
//
//  1. sshd does not look at its client while PAM waits: factord's time ends the attempt.
//  2. These have no such time.
//  3. A matter of SSH alone.
//  4. These close nothing of what they have themselves: see TestModuleApplications.
//
// How stacks are combined is libpam's, the same for all: TestModuleStacks has every
// control in every place, and TestModuleSufficient what exempt means there.

// knownPrompt is the question to somebody who has shown who they are: they may hear
// what they have.
const knownPrompt = "Passcode or backup code: "

// seat is a person at the terminal of a program that asks with the module.
type seat struct {
	t        *testing.T
	who      pamtest.Account
	socket   string
	file     string       // with the program's PAM service
	asks     string       // its question for the password
	says     [ends]string // what is on its screen at the end
	question string       // factord's, when the person has backup codes
	argv     []string
	from     wire.Auth // what it says of where the person is
	log      string    // file of the program's own; "": it has none
}

// An end of a login.
type end int

const (
	letIn      end = iota
	turnedDown     // by the stack
	spent          // no more answers are taken
	ends
)

// launch says how a program is started. The zero value is the usual way.
type launch struct {
	before string // shell commands of a careless parent
	sshd   string // lines before the others of sshd_config
	sudo   string // a setting of sudoers
	defs   string // of login.defs
}

// programs are those that the module is for, each with its own way to ask.
var programs = map[string]func(s *seat, o launch){"sshd": sitAtSSH, "sudo": sitAtSudo, "login": sitAtLogin, "su": sitAtSu, "locker": sitAtLocker}

// forEachProgram runs a test in front of every program.
func forEachProgram(t *testing.T, test func(t *testing.T, program string)) {
	t.Parallel()
	for program := range programs {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			test(t, program)
		})
	}
}

// sit seats somebody at a program that asks the factord of a socket.
func sit(t *testing.T, program, socket string, who pamtest.Account, o launch) *seat {
	t.Helper()
	factordtest.NeedRoot(t)
	s := &seat{t: t, who: who, socket: socket, asks: "Password: ", question: prompt}
	if o.before == "" {
		o.before = ":"
	}
	programs[program](s, o)
	s.stack("factord")
	return s
}

// stack replaces the program's auth stack: "password" and "factord" are whole lines
// of it, the latter also with a control in front.
func (s *seat) stack(lines ...string) {
	s.t.Helper()
	text := ""
	for _, line := range lines {
		if line == "password" {
			line = "requisite pam_unix.so nodelay"
		}
		if control, ok := strings.CutSuffix(line, "factord"); ok {
			if control == "" {
				control = "required"
			}
			line = fmt.Sprintf("%s %s socket=%s", control, factordtest.Module(s.t), s.socket)
		}
		text += "auth " + line + "\n"
	}
	pamtest.Replace(s.t, s.file, text+"account required pam_permit.so\nsession required pam_permit.so\n")
}

// service gives the program a PAM service of its own name.
func (s *seat) service() string {
	name := pamtest.Service(s.t, "auth required pam_deny.so\n")
	s.file = filepath.Join(pamtest.ServiceDir, name)
	return name
}

// become is a shell command that becomes a program as an account.
func become(who pamtest.Account, program string) string {
	return fmt.Sprintf("exec setpriv --reuid=%d --regid=%d --init-groups %s", who.UID, who.GID, program)
}

// shell makes the program what a shell of root's becomes.
func (s *seat) shell(o launch, script string) {
	s.argv = []string{"bash", "-c", o.before + "; " + script}
}

// mounted is shell, where files of ours are in the place of some of /etc.
func (s *seat) mounted(o launch, service, script string) {
	dir := s.t.TempDir()
	s.file = filepath.Join(dir, service)
	defs := filepath.Join(dir, "login.defs")
	if err := os.WriteFile(defs, []byte(o.defs), 0o644); err != nil {
		s.t.Fatal(err)
	}
	mount := fmt.Sprintf("mount --bind %s %s/%s && mount --bind %s /etc/login.defs || exit", s.file, pamtest.ServiceDir, service, defs)
	s.shell(launch{before: mount + "; " + o.before}, script)
	s.argv = append([]string{"unshare", "--mount", "--propagation", "private"}, s.argv...)
}

// begin starts the program at a terminal of its own.
func (s *seat) begin() *pamtest.Terminal {
	s.t.Helper()
	x := pamtest.NewTerminal(s.t)
	x.Start(nil, s.argv...)
	return x
}

// instead is the command with a part of its last argument replaced.
func (s *seat) instead(part, by string) []string {
	last := len(s.argv) - 1
	return append(s.argv[:last:last], strings.Replace(s.argv[last], part, by, 1))
}

func sitAtSSH(s *seat, o launch) {
	server := newSSHServer(s.t, 1)
	server.start(s.service(), o.sshd+fmt.Sprintf(sshConfig, server.ports[0], server.dir, server.dir), "bash", "-c", o.before+`; exec "$@"`, "bash")
	s.says = [ends]string{"let in", "Permission denied", "'s password: "} // when spent, its client turns to other methods
	s.from.RHost, s.question = "127.0.0.1", knownPrompt
	s.log = filepath.Join(server.dir, "log")
	s.argv = server.client("ssh", "-o", "NumberOfPasswordPrompts=1", "-l", s.who.Name, "port0", "echo let in")
}

func sitAtSudo(s *seat, o launch) {
	factordtest.NeedProgram(s.t, "sudo")
	pamtest.Sudoer(s.t, s.who, s.service())
	if o.sudo != "" {
		sudoSetting(s.t, s.who, o.sudo)
	}
	s.asks = "[sudo] password for " + s.who.Name
	s.says = [ends]string{"let in", "try again", "try again"}
	s.from.RUser = s.who.Name
	s.shell(o, become(s.who, "sudo echo let in"))
}

func sitAtLogin(s *seat, o launch) {
	login := factordtest.NeedProgram(s.t, "login")
	s.says = [ends]string{"$ ", "Login incorrect", "Maximum number of tries exceeded"}
	// util-linux's, Debian's since 13, says of the last try what it says of any.
	if version, _ := exec.Command(login, "--version").Output(); strings.Contains(string(version), "util-linux") {
		s.says[spent] = s.says[turnedDown]
	}
	s.mounted(o, "login", "exec login "+s.who.Name)
}

// It is the person whom another becomes.
func sitAtSu(s *seat, o launch) {
	s.says = [ends]string{"let in", "su: ", "su: "}
	o.defs = "FAIL_DELAY 0\n"
	caller := pamtest.NewAccount(s.t, "")
	s.from.RUser = caller.Name
	s.mounted(o, "su", become(caller, "su "+s.who.Name+" -c 'echo let in'"))
}

// A program of the user's own, such as a screen locker.
func sitAtLocker(s *seat, o launch) {
	factordtest.NeedProgram(s.t, "pamtester")
	s.says, s.question = [ends]string{saysSuccess, "pamtester: ", "pamtester: "}, knownPrompt
	s.shell(o, become(s.who, "pamtester "+s.service()+" "+s.who.Name+" authenticate"))
}
