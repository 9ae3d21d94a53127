package main_test

import (
	"bufio"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fake is a factord that says what a test wants it to.
type fake struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// serve answers one connection and returns the socket's path. The test ends
// when the script has.
func serve(t *testing.T, script func(f *fake)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		script(&fake{t, conn, bufio.NewReader(conn)})
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return path
}

func (f *fake) put(lines ...string) { io.WriteString(f.conn, strings.Join(lines, "\n")+"\n") }

func (f *fake) line() string {
	s, err := f.in.ReadString('\n')
	if err != nil {
		return err.Error() + ": " + s
	}
	return strings.TrimSuffix(s, "\n")
}

func (f *fake) expect(want string) {
	f.t.Helper()
	if got := f.line(); got != want {
		f.t.Errorf("factorctl said %q, want %q", got, want)
	}
}

const greeting = "OK factord 1"

// reply greets, hears the command and answers it.
func reply(lines ...string) func(*fake) {
	return func(f *fake) {
		f.put(greeting)
		f.line()
		f.put(lines...)
	}
}

func TestProtocolEdges(t *testing.T) {
	for _, test := range []struct {
		name   string
		script func(*fake)
		args   string
		code   int
		stdout string
		stderr string
	}{
		{"no greeting", func(*fake) {}, "status", 1, "", "factord closed the connection"},
		{"wrong greeting", func(f *fake) { f.put("220 mail ESMTP") }, "status", 1, "", "is not factord's language"},
		{"next version", func(f *fake) { f.put("OK factord 12") }, "status", 1, "", "is not factord's language"},
		{"end in mid-line", func(f *fake) { f.put(greeting); f.line(); io.WriteString(f.conn, "D {") }, "status", 1, "", "factord closed the connection"},
		{"end without a last line", reply("D {}%0A"), "status", 1, "", "factord closed the connection"},
		{"data without its end", reply("D {}", "OK"), "status", 1, "", "is not factord's language"},
		{"no data", reply("OK"), "status", 1, "", "is not factord's language"},
		{"two documents", reply("D {}%0A{}%0A", "OK"), "status", 1, "", "is not factord's language"},
		{"no JSON", reply("D {%0A", "OK"), "status --json", 1, "", "is not factord's language"},
		{"other JSON", reply("D []%0A", "OK"), "status", 1, "", "of one version"},
		{"bad escape", reply("D %4", "OK"), "status", 1, "", "is not factord's language"},
		{"line too long", reply("D " + strings.Repeat("x", 1001)), "status", 1, "", "is not factord's language"},
		{"refused", reply("ERR 111 only root may do this"), "audit", 1, "", "only root may do this"},
		{"refused with a hint", reply("ERR 101 alice has no %22x%22%0Ahint: factorctl list shows the ids"), "remove x", 1, "", "alice has no \"x\"\nhint: factorctl list shows the ids\n"},
		{"refused without a number", reply("ERR no"), "status", 1, "", "is not factord's language"},
		{"out of place", reply("S VERDICT allow basis=factor", "OK"), "status", 1, "", "is not factord's language"},
		{"in pieces", reply("D {\"ready\":", "D true}%0A", "OK"), "status", 0, "ready:             yes\n", ""},
		{"a new database", reply(`D {"ready":true,"highest_time":"1970-01-01T00:00:00Z"}%0A`, "OK"), "status", 0, "latest time seen:  -\n", ""},
		{"a configuration that is refused", reply(`D {"ready":true,"config_refused":"f:1: x: no\nhint: y","audit_copies":["journal"],"audit_lost":{"journal":3},"audit_strict":true}%0A`, "OK"), "status", 0,
			"config refused:    f:1: x: no; hint: y\nready:             yes\naudit copied to:   journal\ncopies lost:       journal 3\nno copy, no login: yes\n", ""},
		{"a check beside a configuration that is refused", reply(`D {"config_refused":"f:1: x: no","duo":{"usable":"yes"}}%0A`, "OK"), "status --check", 1,
			"usable:          yes\n", "factorctl: the configuration as it is now is refused, the one before it serves on\nhint: factorctl check-config says what is wrong, and systemctl reload factord takes it when it is mended\n"},
		{"a check of two troubles", reply(`D {"config_refused":"f:1: x: no","duo":{"usable":"no: why"}}%0A`, "OK"), "status --check", 1, "config refused:    f:1: x: no\n",
			"factorctl: Duo can't be used: why; and the configuration as it is now is refused, the one before it serves on\n"},
		{"a check that leaves the judging to its reader", reply(`D {"config_refused":"f:1: x: no"}%0A`, "OK"), "status --check --json", 0, `"config_refused":"f:1: x: no"`, ""},
		{"a check without Duo", reply(`D {"ready":true}%0A`, "OK"), "status --check", 0, "ready:             yes\n", ""},
		{"control characters", reply(`D {"state":"a\u001b[2Jb\u009b\u202e"}%0A`, "OK"), "status", 0, "a?[2Jb??\n", ""},
		{"control characters in JSON", reply("D {\"state\":\"a%C2%9B%E2%80%AE\"}%0A", "OK"), "status --json", 0, `{"state":"a??"}`, ""},
		{"control characters in a refusal", reply("ERR 101 a%1B]0;b%07"), "status", 1, "", "factorctl: a?]0;b?\n"},
		{"two verdicts", reply("S VERDICT allow basis=factor", "OK", "S VERDICT allow basis=factor", "OK"), "test", 1, "", "is not factord's language"},
		{"verdict without its end", reply("S VERDICT allow basis=factor"), "test", 1, "", "factord closed the connection"},
		{"allow", reply("S VERDICT allow basis=factor factor=totp rule=my%20rule", "OK"), "test", 0, "verdict:  allow\nbasis:    factor\nfactor:   totp\nrule:     my rule\n", "service sudo\n"},
		{"allow, JSON", reply("S VERDICT allow basis=audit would=103 rule=x", "OK"), "test --json", 0, `{"verdict":"allow","basis":"audit","would":"no-rule","rule":"x","ms":`, ""},
		{"deny", reply("S VERDICT deny reason=no-rule", "ERR 103 no rule lets this login in"), "test", 1, "reason:   no-rule", "factorctl: refused: no rule lets this login in\n"},
		{"resynced", reply(`D {"id":"hotp-1","user":"u","counter":18446744073709551615}%0A`, "OK"), "resync hotp-1", 0, "hotp-1 of u is found again: its next code is that of counter 18446744073709551615\n", ""},
		{"resynced, uncounted", reply(`D {"id":"x-1","user":"u"}%0A`, "OK"), "resync x-1", 0, "x-1 of u is found again\n", ""},
		{"nothing enrolled", reply("D []%0A", "OK"), "list", 0, "nothing is enrolled\n", ""},
		{"a code that was used", reply(`D [{"user":"u","id":"bypass-1","factor":"bypass","kind":"bypass","used":"2026-01-02T03:04:05Z","detail":{"expires":"2099-01-31T10:00:00Z"}}]%0A`, "OK"), "list --user u", 0, "2026-01-02 03:04:05  used\n", ""},
		{"a code that has expired", reply(`D [{"user":"u","id":"invite-1","factor":"invite","kind":"invite","detail":{"expires":"2001-01-31T10:00:00Z"}}]%0A`, "OK"), "list --user u", 0, "expired 2001-01-31 10:00:00\n", ""},
		{"a code that holds", reply(`D [{"user":"u","id":"invite-1","factor":"invite","kind":"invite","detail":{"expires":"2099-01-31T10:00:00Z"}}]%0A`, "OK"), "list --user u", 0, "expires 2099-01-31 10:00:00\n", ""},
		{"bypass", reply(`D {"user":"u","code":"a-b-c","expires":"2099-01-31T10:00:00Z"}%0A`, "OK"), "bypass u", 0, "  a-b-c\n\nu types it where a code is asked for.\n", ""},
		{"explained", reply(`D {"user":"u","service":"s","rule":"r","steps":[{"line":3,"rule":"r","matched":true,"why":"it matches"}]}%0A`, "OK"), "explain --service s", 0, "u, service s, asked by PAM as root (a program that runs as the user: --caller user)\n\n  MATCH", ""},
		{"explained of a locker", reply(`D {"user":"u","service":"s","rule":"r"}%0A`, "OK"), "explain --service s --caller user", 0, "u, service s, asked by a program that runs as the user\n", ""},
		{"enrolled", reply(`D {"user":"u","service":"s","enrolled":true}%0A`, "OK"), "explain --service s", 0, "enrolled:  yes\n", ""},
		{"not enrolled", reply(`D {"user":"u","service":"s","enrolled":false}%0A`, "OK"), "explain --service s", 0, "enrolled:  no\n", ""},
		{"not known whether enrolled", reply(`D {"user":"u","service":"s","enrolled":null}%0A`, "OK"), "explain --service s", 0, "enrolled:  not known\n", ""},
		{"removed", reply(`D {"removed":"totp-1","user":"u","left":1,"elsewhere":["duo"]}%0A`, "OK"), "remove totp-1", 0, "removed totp-1 of u\n", ""},
		{"removed the last", reply(`D {"removed":"totp-1","user":"u","left":0,"elsewhere":[]}%0A`, "OK"), "remove totp-1", 0, "That was the last. A rule of mode \"enrolled\" now lets u in without a factor,\n", ""},
		{"removed the last that is here", reply(`D {"removed":"totp-1","user":"u","left":0,"elsewhere":["duo"]}%0A`, "OK"), "remove totp-1", 0,
			"removed totp-1 of u\nThat was the last kept here; whether u has duo is kept elsewhere.", ""},
		{"nothing shown", reply("OK"), "enroll totp", 1, "", "showed nothing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := serve(t, test.script)
			o := run(t, "", append(strings.Fields(test.args), "--socket", path)...)
			o.want(t, test.code, test.stdout, test.stderr)
		})
	}
}

func TestCommands(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"status", "STATUS"},
		{"list", "LIST"},
		{"--user a%b list", "LIST user=a%25b"},
		{"remove totp-1 --user u", "REMOVE id=totp-1 user=u"},
		{"resync hotp-1 --user u", "RESYNC id=hotp-1 user=u"},
		{"invite u --for 90m", "INVITE user=u for=1h30m0s"},
		{"invite u --for 2d", "INVITE user=u for=48h0m0s"},
		{"bypass u", "BYPASS user=u"},
		{"unlock u", "UNLOCK user=u"},
		{"unlock --user u", "UNLOCK user=u"},
		{"bypass --user u", "BYPASS user=u"},
		{"--user u invite --for 2d", "INVITE user=u for=48h0m0s"},
		{"list u", "LIST user=u"},
		{"remove totp-1 u", "REMOVE id=totp-1 user=u"},
		{"resync hotp-1 u", "RESYNC id=hotp-1 user=u"},
		{"forget u", "FORGET user=u"},
		{"explain --service s --user u --rhost ::1 --ruser r --caller user", "EXPLAIN user=u service=s rhost=::1 ruser=r caller=user"},
		{"audit --user u", "AUDIT last=50 user=u"},
		{"audit --refusals", "AUDIT refusals=1"},
		{"audit --service s --verdict deny --kind verdict --last 3", "AUDIT last=3 service=s verdict=deny kind=verdict"},
		{"audit --since 2026-01-31T10:00:00+01:00", "AUDIT since=2026-01-31T09:00:00Z"},
		{"audit --follow --last 5 --user u", "AUDIT last=5 user=u follow=1"},
		{"enroll new --name n", "ENROLL factor=new name=n"},
		{"enroll totp --no-confirm --user u", "ENROLL factor=totp user=u no-confirm=1"},
		{"enroll hotp --digits 8 --look-ahead 3 --counter 7 --prefix ub --algorithm SHA256", "ENROLL factor=hotp algorithm=SHA256 counter=7 digits=8 look-ahead=3 prefix=ub"},
		{"test --user u --rhost ::1 --first", "AUTH user=u service=sudo rhost=::1 phase=auth conv=prompt first=1"},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			path := serve(t, func(f *fake) {
				f.put(greeting)
				f.expect(test.want)
				f.put("ERR 101 enough")
			})
			run(t, "", append(strings.Fields(test.args), "--socket", path)...)
		})
	}
}

// token is an enrolment as factord shows it.
const token = `D {"id":"totp-1","factor":"totp","name":"n","uri":"otpauth://totp/a:b?secret=ABCDEFGHIJ"}%0A`

func TestEnrolWithoutTerminal(t *testing.T) {
	script := func(last ...string) func(*fake) {
		return func(f *fake) {
			f.put(greeting)
			f.line()
			f.put("S INFO Prove one of the factors you have first.", "INQUIRE SECRET Passcode: ")
			f.expect("D 111111")
			f.expect("END")
			f.put(token, "INQUIRE PROMPT Code of the new token: ")
			f.expect("D 222 222")
			f.expect("END")
			f.put(last...)
		}
	}
	const stdin = "111111\n222 222\r\n"
	o := run(t, stdin, "enroll", "totp", "--socket", serve(t, script("OK")))
	o.want(t, 0, "Secret: ABCD EFGH IJ\nURI:    otpauth://totp/a:b?secret=ABCDEFGHIJ\n", "Passcode: \nCode of the new token: \n")

	// A program needs the object for the first code; whether the factor is
	// enrolled is the exit status.
	const object = `{"id":"totp-1","factor":"totp","name":"n","uri":"otpauth://totp/a:b?secret=ABCDEFGHIJ"}` + "\n"
	for status, last := range []string{"OK", "ERR 101 wrong"} {
		o = run(t, stdin, "enroll", "totp", "--json", "--socket", serve(t, script(last)))
		if o.want(t, status, object, "Code of the new token: \n"); o.stdout != object {
			t.Errorf("stdout %q, want %q", o.stdout, object)
		}
	}
}

func TestEnrolCancelled(t *testing.T) {
	path := serve(t, func(f *fake) {
		f.put(greeting)
		f.line()
		f.put("INQUIRE SECRET Invitation code: ")
		f.expect("CAN")
		f.put("ERR 108 ENROLL failed: cancelled")
	})
	run(t, "", "enroll", "totp", "--socket", path).want(t, 1, "", "nobody is there to be asked\nhint: ")
}

func TestEnrolJSONWithoutConfirmation(t *testing.T) {
	o := run(t, "", "enroll", "totp", "--json", "--no-confirm", "--socket", serve(t, reply(token, "OK")))
	if o.want(t, 0, `"id":"totp-1"`, ""); strings.Contains(o.stderr, "otpauth") {
		t.Errorf("the secret is on stderr: %q", o.stderr)
	}
	codes := `D {"id":"backup-1","factor":"backup","codes":["a-b","c-d"]}%0A`
	run(t, "", "enroll", "backup", "--json", "--socket", serve(t, reply(codes, "OK"))).want(t, 0, `"codes":["a-b","c-d"]}`, "")
	run(t, "", "enroll", "backup", "--socket", serve(t, reply(codes, "OK"))).want(t, 0, "  a-b    c-d\n", "")
}

// Who has no backup codes is told how to make some: the next thing to do after a
// first factor.
func TestEnrolPointsToBackupCodes(t *testing.T) {
	const hint = "There are no backup codes yet, for when this is lost: factorctl enroll backup --user u"
	for name, test := range map[string]struct {
		items, stdout string
	}{
		"none":       {`D [{"id":"totp-1","factor":"totp"}]%0A`, hint},
		"some":       {`D [{"id":"totp-1","factor":"totp"},{"id":"backup-1","factor":"backup"}]%0A`, ""},
		"not known":  {"ERR 106 no", ""},
		"not listed": {"D {}%0A", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := serve(t, func(f *fake) {
				f.put(greeting)
				f.expect("ENROLL factor=totp user=u no-confirm=1")
				f.put(token, "OK")
				f.expect("LIST user=u")
				f.put(test.items)
				if test.items[0] == 'D' {
					f.put("OK")
				}
			})
			o := run(t, "", "enroll", "totp", "--user", "u", "--no-confirm", "--socket", path)
			o.want(t, 0, "totp totp-1 is enrolled for u.\n"+test.stdout, "")
			if test.stdout == "" && strings.Contains(o.stdout, "backup") {
				t.Errorf("%q", o.stdout)
			}
		})
	}
}
