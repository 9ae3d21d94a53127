package pam_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/hmac"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/keysim"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/pam/pamtest"
)

const serial = 12345678

// desk is a machine at which a person sits, with their key in it, which is touched for its
// challenge-response slot. The texts are those of every factor that asks a key.
type desk struct {
	*factordtest.Daemon
	t    *testing.T
	who  pamtest.Account
	keys *keysim.Keys
	key  *keysim.Key
}

func newDesk(t *testing.T, factors string) *desk {
	t.Helper()
	factordtest.NeedRoot(t)
	secret := strings.Repeat("k", 20)
	d := &desk{t: t, who: pamtest.NewAccount(t, "Correct-horse-7"), keys: keysim.New(),
		key: &keysim.Key{Serial: serial, Secrets: map[int][]byte{2: []byte(secret)}}}
	d.Daemon = factordtest.NewDaemon(t, factordtest.Options{
		Config:  "[[rule]]\nname = \"desk\"\ncallers = [\"root\", \"user\"]\nfactors = [" + factors + "]\n",
		Factors: []factor.Factor{hmac.New(hmac.Config{Device: d.keys})},
		Places: factordtest.Places(func(uint32) (session.Place, error) {
			return session.Place{Session: "1", Owner: uint32(d.who.UID), Local: policy.Yes, Alone: true}, nil
		}),
	})
	d.Users.Set(d.who.Name, uint32(d.who.UID))
	d.keys.Plug(d.key)
	touched := make(chan struct{})
	go func() {
		defer close(touched)
		for range 2 {
			d.touch()
		}
	}()
	d.MustCall("ENROLL factor=hmac seed=1 user="+d.who.Name, strings.Repeat("6b", 20), "")
	<-touched
	return d
}

// touch touches the key when it waits for that.
func (d *desk) touch() { d.Wait(func() bool { return d.keys.Touch(serial) }) }

// sit seats the person at a program whose password factord's line stands behind, or, where
// the program has one field, before.
func (d *desk) sit(program, arguments, answer string) *pamtest.Terminal {
	d.t.Helper()
	s := &seat{t: d.t, who: d.who, socket: d.Socket, asks: "Password: "}
	if program == "vlock" {
		s.sitAtVlock()
	} else {
		s = sit(d.t, program, d.Socket, d.who, launch{})
	}
	line := "auth required " + factordtest.Module(d.t) + " socket=" + d.Socket + " " + arguments + "\n"
	stack := "auth requisite pam_unix.so nodelay\n" + line
	if strings.Contains(arguments, "single_field") {
		stack = line + "auth required pam_unix.so use_first_pass\n"
	}
	pamtest.Replace(d.t, s.file, stack+"account required pam_permit.so\nsession required pam_permit.so\n")
	x := s.begin()
	if program == "vlock" {
		x.Expect("locked")
		x.Type("\r")
	}
	asks(x, d.t, s.asks)
	x.Type(answer + "\r")
	return x
}

// sitAtVlock seats somebody at a locker that is a program of their own. It has no PAM file
// on Debian, so libpam takes "other".
func (s *seat) sitAtVlock() {
	text, err := os.ReadFile(factordtest.NeedProgram(s.t, "/usr/sbin/vlock-main"))
	program := filepath.Join(ownDir(s.t, s.who), "vlock-main")
	if err == nil {
		err = os.WriteFile(program, text, 0o755)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.mounted(launch{before: ":"}, "other", become(s.who, "env VLOCK_MESSAGE=locked USER="+s.who.Name+" HOME=/ TERM=vt100 "+program))
}

// What a person with a key sees and does after their password. "+" is a touch, "\r" is
// Enter, and the rest is what the screen has next.
func TestModuleKey(t *testing.T) {
	t.Parallel()
	const (
		enter = "Passcode, or Enter for a touch of YubiKey 12345678: "
		alone = "Press Enter for a touch of YubiKey 12345678: "
		cue   = "Touch YubiKey 12345678"
		plug  = "Plug in YubiKey 12345678, then touch it"
		key   = `"hmac"`
		both  = `"hmac", "totp"`
	)
	for _, tc := range []struct {
		program, factors, arguments string
		steps                       []string
	}{
		{"sudo", both, "first", []string{enter, "\r", cue + ", then press Enter: ", "+", "\r"}},
		{"sudo", key, "first", []string{alone, "\r", cue + ", then press Enter: ", "+", "\r"}},
		{"sudo", both, "first", []string{"-", enter, "\r", plug + ", then press Enter: ", "plug", "+", "\r"}},
		{"sudo", both, "first conv=none", []string{"+"}},
		{"login", both, "first", []string{enter, "\r", cue + "\r\n", "+"}},
		{"login", key, "first", []string{cue + "\r\n", "+"}},
		{"login", key, "first", []string{"-", plug + "\r\n", "plug", cue + "\r\n", "+"}},
		{"su", both, "first", []string{enter, "\r", cue + "\r\n", "+"}},
		{"locker", both, "first", []string{enter, "\r", cue + "\r\n", "+"}},
		{"locker", both, "conv=info", []string{cue + "\r\n", "+"}},
		{"locker", both, "conv=none", []string{"+"}},
		{"locker", key, "conv=none", []string{"-", "plug", "+"}},
		{"vlock", both, "first", []string{enter, "\r", cue + "\r\n", "+"}},
		{"vlock", both, "conv=info", []string{cue + "\r\n", "+"}},
		{"vlock", both, "conv=none", []string{"+"}},
		{"vlock", both, "single_field=6", []string{cue + "\r\n", "+"}}, // a field without a code
		{"locker", both, "single_field=6", []string{cue + "\r\n", "+"}},
		{"locker", both, "single_field=6", nil}, // a field with one
	} {
		t.Run(tc.program+" "+tc.arguments+" "+tc.factors, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, tc.factors)
			tok := d.MustEnroll(d.who.Name, "totp")
			steps := tc.steps
			if len(steps) > 0 && steps[0] == "-" {
				d.keys.Pull(serial)
				steps = steps[1:]
			}
			answer, by := d.who.Password, "hmac"
			if len(steps) == 0 {
				answer, by = answer+factordtest.TOTP(t, tok, d.Clock.Now()), "totp"
			}
			x := d.sit(tc.program, tc.arguments, answer)
			for _, step := range steps {
				switch step {
				case "+":
					d.touch()
				case "plug":
					d.Wait(func() bool { return len(d.keys.Waiting()) > 0 })
					d.keys.Plug(d.key)
				case "\r":
					x.Type(step)
				default:
					if strings.HasSuffix(step, ": ") {
						asks(x, t, step)
					} else {
						x.Expect(step)
					}
				}
			}
			d.Wait(func() bool { return strings.Contains(d.MustCall("AUDIT last=1"), `"factor":"`+by+`"`) })
			if screen := x.Screen(); tc.arguments != "first" && strings.Contains(screen, "Enter") {
				t.Errorf("asks for Enter: %q", screen)
			}
			if tc.program == "login" {
				x.Expect("$ ")
				x.Type("exit\r")
			}
			if status := x.Wait(); status != 0 {
				t.Errorf("exit %d: %s", status, x.Screen())
			}
		})
	}
}
