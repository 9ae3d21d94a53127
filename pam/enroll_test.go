package pam_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/qr"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/pam/pamtest"
)

// firstRule lets people set up their first factor in a login.
const firstRule = "[totp]\nwindow = 10\nissuer = \"lab\"\n[[rule]]\nname = \"first\"\nfactors = [\"totp\", \"backup\"]\nenroll = \"login\"\n"

const (
	askAny   = "Passcode or backup code: "
	askFirst = "First code from the app: "
	askDone  = "Press Enter when done: "
)

// newcomers is a lab whose person has no factor.
func newcomers(t *testing.T, config string) *lab {
	t.Helper()
	factordtest.NeedRoot(t)
	factordtest.NeedProgram(t, "oathtool")
	return &lab{t: t, Process: factordtest.StartProcess(t, factordtest.ProcessOptions{Config: config}), who: pamtest.NewAccount(t, "Correct-horse-7")}
}

var groupsOfFour = regexp.MustCompile(`Secret: ((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}) `)

// takeSecret takes the secret from the screen, as a person does who can't scan, and
// checks that the QR code there is what factorctl draws of it.
func (l *lab) takeSecret(x *pamtest.Terminal) {
	l.t.Helper()
	screen := x.Screen()
	found := groupsOfFour.FindAllStringSubmatch(screen, -1)
	if found == nil {
		l.t.Fatalf("no secret on the screen:\n%s", screen)
	}
	secret := strings.ReplaceAll(found[len(found)-1][1], " ", "")
	l.token = factordtest.Token{URI: fmt.Sprintf("otpauth://totp/lab:%s?algorithm=SHA1&digits=6&issuer=lab&period=30&secret=%s", l.who.Name, secret)}
	code, err := qr.Encode(l.token.URI)
	if err != nil {
		l.t.Fatal(err)
	}
	if want := strings.Join(code.Lines(), "\r\n"); strings.Count(screen, want) != 1 {
		l.t.Errorf("the QR code on the screen is another:\n%s\nwant\n%s", screen, strings.Join(code.Lines(), "\n"))
	}
	l.codes = oathTOTP(l.t, l.token, time.Now(), 8)
}

// setUp goes through an enrolment up to the backup codes, of which it returns one.
func (l *lab) setUp(x *pamtest.Terminal) (backup string) {
	l.t.Helper()
	x.Expect(askFirst)
	l.takeSecret(x)
	x.Type(l.code() + "\r")
	x.Expect(askDone)
	codes := regexp.MustCompile(`[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}`).FindAllString(x.Screen(), -1)
	if len(codes) != 10 {
		l.t.Fatalf("%d backup codes:\n%s", len(codes), x.Screen())
	}
	return codes[3]
}

// entrance is a program at which people set up a factor. It returns how to log in
// there, the first factor shown, and what is on the screen inside.
func entrance(t *testing.T, l *lab, name string) func() (*pamtest.Terminal, string) {
	switch name {
	case "sshd":
		s := moduleSSH(t, l, l.snippet("sshd"), "publickey,keyboard-interactive:pam")
		return func() (*pamtest.Terminal, string) {
			x := pamtest.NewTerminal(t)
			// In another locale the client spells what is not ASCII as octal numbers.
			x.Start(nil, append([]string{"env", "LC_ALL=C.UTF-8"}, s.client("ssh", "-l", l.who.Name, "port0", "id", "-un")...)...)
			return x, "\n" + l.who.Name
		}
	case "sudo":
		pamtest.Sudoer(t, l.who, pamtest.Service(t, l.snippet("sudo")))
		return func() (*pamtest.Terminal, string) {
			x := l.sudo()
			x.Expect("[sudo] password for " + l.who.Name)
			x.Type(l.who.Password + "\r")
			return x, "root"
		}
	}
	return func() (*pamtest.Terminal, string) {
		x := l.login(l.who.Name, map[string]string{"/etc/pam.d/login": l.snippet("login")})
		x.Expect("Password: ")
		x.Type(l.who.Password + "\r")
		return x, "$ "
	}
}

// A person without a factor gets one where they log in, and is asked for it the
// next time.
func TestEnrolInLogin(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sshd", "sudo", "login"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newcomers(t, firstRule)
			enter := entrance(t, l, name)
			x, inside := enter()
			backup := l.setUp(x)
			l.lastRecord(map[string]string{"verdict": "allow", "factor": "totp", "id": "totp-1", "log": "enrolled in this login"})
			x.Type("\r")
			x.Expect(inside)
			x.Kill()
			x.Wait()
			for _, answer := range []string{l.code(), backup} {
				x, inside := enter()
				x.Expect(askAny)
				x.Type(answer + "\r")
				x.Expect(inside)
				if strings.Contains(x.Screen(), "Secret:") {
					t.Errorf("a secret is shown again:\n%s", x.Screen())
				}
				x.Kill()
				x.Wait()
			}
		})
	}
}

// Whatever ends the login once the factor is kept, the factor stays, and so does
// the person's way in.
func TestEnrolInLoginCutShort(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(l *lab, x *pamtest.Terminal){
		"client killed":  func(l *lab, x *pamtest.Terminal) { x.Kill(); x.Wait(); l.AwaitConnections(0, 10*time.Second) },
		"factord killed": func(l *lab, x *pamtest.Terminal) { l.Kill9(); l.Start(); x.Kill(); x.Wait() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newcomers(t, firstRule)
			enter := entrance(t, l, "sudo")
			x, _ := enter()
			backup := l.setUp(x)
			end(l, x)
			if records := l.audit(); len(records) != 3 || records[2]["verdict"] != "allow" {
				t.Errorf("audit records: %v", records)
			}
			for _, answer := range []string{l.code(), backup} {
				x, inside := enter()
				x.Expect(askAny)
				x.Type(answer + "\r")
				x.Expect(inside)
				x.Wait()
			}
		})
	}
}

// Who has had a factor is let set up another by root alone.
func TestEnrolInLoginInvited(t *testing.T) {
	t.Parallel()
	l := newcomers(t, firstRule)
	enter := entrance(t, l, "sshd")
	l.MustEnroll(l.who.Name, "totp")
	l.MustCall(wire.Command(wire.VerbRemove, "user", l.who.Name, "id", "totp-1"))
	x, _ := enter()
	x.Expect("Permission denied")
	x.Wait()
	if strings.Contains(x.Screen(), "Secret: ") {
		t.Errorf("a secret is shown:\n%s", x.Screen())
	}
	code := l.MustCall(wire.Command(wire.VerbInvite, "user", l.who.Name))[0]["code"].(string)
	x, inside := enter()
	x.Expect("Invitation code: ")
	x.Type(code + "\r")
	l.setUp(x)
	x.Type("\r")
	x.Expect(inside)
	l.lastRecord(map[string]string{"verdict": "allow", "log": "enrolled in this login, with an invitation"})
}

// Wrong first codes leave nothing; the next login begins anew.
func TestEnrolInLoginRefused(t *testing.T) {
	t.Parallel()
	l := newcomers(t, firstRule)
	enter := entrance(t, l, "sshd")
	x, _ := enter()
	for i := range 3 {
		x.Expect(askFirst)
		if i == 0 {
			l.takeSecret(x)
		}
		x.Type(l.wrong() + "\r")
	}
	pamtest.Await(t, "the end of the attempt", 10*time.Second, func() bool { return l.Connections() == 0 })
	x.Kill()
	x.Wait()
	list, err := factordtest.Call(l.Socket, -1, wire.Command(wire.VerbList, "user", l.who.Name))
	if err != nil || len(l.audit()) != 0 || fmt.Sprint(list) != "[[]]" {
		t.Errorf("left: %v and %v, %v", l.audit(), list, err)
	}
	first := l.token.Secret()
	x, inside := enter()
	l.setUp(x)
	x.Type("\r")
	x.Expect(inside)
	if l.token.Secret() == first {
		t.Error("the secret of an attempt that failed is used again")
	}
}

// A program with one field can show nothing that has to be answered, and says so.
func TestEnrolNeedsQuestions(t *testing.T) {
	t.Parallel()
	l := newcomers(t, firstRule)
	for _, args := range []string{"first single_field=6", "first conv=info", "first conv=none"} {
		service := pamtest.Service(t, l.moduleLine("auth", "required", args))
		got := l.tests(service, l.who.Password+"123456\n")
		if strings.Contains(got, "Secret") || strings.Contains(got, "█") || !strings.Contains(got, saysAuthErr) {
			t.Errorf("%s: %q", args, got)
		}
		if said := strings.Contains(got, "second factor"); said != !strings.Contains(args, "none") {
			t.Errorf("%s: %q", args, got)
		}
	}
	refusals, err := factordtest.Call(l.Socket, -1, wire.Command(wire.VerbAudit, "refusals", "1"))
	if text := strings.Join(refusals, ""); err != nil || !strings.Contains(text, `"reasons":{"not-enrolled":3}`) {
		t.Errorf("refusals: %s, %v", text, err)
	}
}

// A person's own client of the protocol: what it does not know it shows.
func TestEnrolByHand(t *testing.T) {
	t.Parallel()
	l := newcomers(t, firstRule)
	auth := wire.Command(wire.VerbAuth, "user", l.who.Name, "service", "sudo", "conv", "prompt", "first", "1")
	out := l.agent("/let code 000000", "/definq PROMPT code", auth)
	for _, want := range []string{"S ENROLLING\n", "S INFO Secret: ", "S INFO that is not a code of this token", "S VERDICT deny reason=attempts rule=first\n", "ERR 113 "} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

// kill -9 between any two writes of an enrolment leaves all of it or nothing, and
// all where the person has seen backup codes.
func TestKillAtEveryWriteOfAnEnrolment(t *testing.T) {
	t.Parallel()
	factordtest.NeedProgram(t, "strace")
	for n, last := 0, false; !last; n++ {
		l := newcomers(t, firstRule)
		l.Stop()
		tr := l.startTraced()
		c := dial(t, l.Socket, -1)
		c.send(wire.Command(wire.VerbAuth, "user", l.who.Name, "service", "sudo", "conv", "prompt", "first", "1") + "\n")
		l.token = factordtest.Token{URI: "?secret=" + c.secret()}
		c.answer(oathTOTP(t, l.token, time.Now(), 1)[0])
		seen := make(chan bool, 1)
		go func() { seen <- c.askedAgain() }()
		shown, over := false, false
		for tr.done() < n && !over {
			select {
			case shown = <-seen:
				over = true
			case <-time.After(time.Millisecond):
			}
		}
		tr.Kill9()
		if !over {
			shown = <-seen
		}
		last = tr.done() < n
		l.Start()
		records := l.audit()
		list, err := factordtest.Call(l.Socket, -1, wire.Command(wire.VerbList, "user", l.who.Name))
		items := strings.Count(strings.Join(list, ""), `"id"`)
		t.Logf("killed after %d calls: %d records, %d items, backup codes seen: %v", n, len(records), items, shown)
		if whole, none := len(records) == 3 && items == 2, len(records) == 0 && items == 0; err != nil || !whole && !none || shown && none || last && !shown {
			t.Errorf("killed after %d calls: %v and %v, %v", n, records, list, err)
		}
	}
}

// secret reads up to the first question, and returns the secret that is shown.
func (c *client) secret() (secret string) {
	c.t.Helper()
	for {
		line := c.line()
		if found := groupsOfFour.FindStringSubmatch(line); found != nil {
			secret = strings.ReplaceAll(found[1], " ", "")
		}
		if strings.HasPrefix(line, "INQUIRE PROMPT ") && secret != "" {
			return secret
		}
		if !strings.HasPrefix(line, "S ") {
			c.t.Fatalf("%q instead of a question", line)
		}
	}
}

// askedAgain reads up to the next question of a factord that may be killed.
func (c *client) askedAgain() bool {
	for {
		line, err := c.lines.Read()
		if err != nil {
			return false
		}
		if strings.HasPrefix(string(line), "INQUIRE PROMPT ") {
			return true
		}
	}
}
