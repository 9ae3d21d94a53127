package session_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// Each of these worked once.

// A waiting user with a token, one without and nobody at all answer alike,
// however a code is spelled.
func TestSpacedCodeTellsNothing(t *testing.T) {
	d := newDaemon(t, "")
	d.MustEnroll("alice", "totp")
	for _, answer := range []string{"123 456", "x", "123456789012", "qqqq-qqqq-qqqq", ""} {
		var heard []string
		for _, user := range []string{"alice", "bob", "no-such-user"} {
			a := wire.Auth{User: user, Service: "sshd", RHost: "192.0.2.1"}
			fail(t, d, a, 8)
			v := d.Login(a, answer)
			heard = append(heard, fmt.Sprint(v.Reason, v.Text))
		}
		if heard[0] != heard[1] || heard[0] != heard[2] {
			t.Errorf("%q: %q", answer, heard)
		}
	}
}

// Answers that are no codes are no way round the wait of a source to the cap
// over all sources.
func TestOneSourceDoesNotReachTheCap(t *testing.T) {
	d := newDaemon(t, "")
	tok, set := d.MustEnroll("alice", "totp"), d.MustEnroll("alice", "backup")
	for _, answer := range []string{"x", "qqqq-qqqq-qqqq", "000000", set.Codes[0]} {
		for range 60 {
			d.Login(wire.Auth{User: "alice", Service: "sshd", RHost: "198.51.100.66"}, answer, answer, answer)
		}
	}
	expect(t, d.Login(wire.Auth{User: "alice", Service: "sshd", RHost: "192.0.2.9"}, factordtest.TOTP(t, tok, d.Clock.Now())), "allow factor totp")
}

// Names that are nobody's, and answers that are not looked at, leave the audit
// ring to real decisions.
func TestAuditRingIsNotWashedOut(t *testing.T) {
	d := newDaemon(t, "")
	d.MustEnroll("alice", "totp")
	for i := range 60 {
		d.Login(wire.Auth{User: fmt.Sprint("nosuch", i), Service: "sshd", RHost: "198.51.100.66"}, "x", "y", "z")
		d.Login(wire.Auth{User: "alice", Service: "sshd", RHost: "198.51.100.66"}, "x", "y", "z")
	}
	if n := strings.Count(d.MustCall("AUDIT last=1000"), "\n"); n > 20 {
		t.Errorf("%d audit records", n)
	}
	if refusals := d.MustCall("AUDIT refusals=1"); !strings.Contains(refusals, `"attempts":60`) {
		t.Errorf("refusals: %s", refusals)
	}
}

// Others learn from EXPLAIN what concerns themselves, and no rules.
func TestExplainTellsOthersNothing(t *testing.T) {
	d := newDaemon(t, "[[rule]]\nname=\"secret\"\nusers=[\"root\"]\nmode=\"exempt\"\n[[rule]]\nfactors=[\"totp\"]\nsubject=\"caller\"\n")
	d.MustEnroll("alice", "totp")
	if data, err := factordtest.Call(d.Socket, 1002, "EXPLAIN service=su ruser=alice"); err == nil {
		t.Errorf("bob learns of alice: %s", data)
	}
	data, err := factordtest.Call(d.Socket, 1002, "EXPLAIN service=su")
	if err != nil || strings.Contains(strings.Join(data, ""), "secret") {
		t.Errorf("bob learns the rules: %s, %v", data, err)
	}
}

// Many hosts do not make factord forget what the user's own programs guessed.
func TestHostsDoNotPushOutTheUser(t *testing.T) {
	d := newDaemon(t, "")
	d.MustEnroll("alice", "totp")
	self := wire.Auth{User: "alice", Service: "sudo", RUser: "alice"}
	fail(t, d, self, 6)
	for i := range 140 {
		d.Login(wire.Auth{User: "alice", Service: "sshd", RHost: fmt.Sprintf("2001:db8:%x::1", i)}, "x")
		d.Clock.Add(time.Millisecond) // so that the user is the one quiet for longest
	}
	expect(t, d.Login(self, "000000"), "deny rate-limited")
}

// Whoever guesses from a host without a known address is not the user.
func TestHostNameIsNotTheUser(t *testing.T) {
	d := newDaemon(t, "")
	tok := d.MustEnroll("alice", "totp")
	fail(t, d, wire.Auth{User: "alice", Service: "ftp", RHost: "evil.example", RUser: "alice"}, 20)
	expect(t, d.Login(wire.Auth{User: "alice", Service: "sudo", RUser: "alice"}, factordtest.TOTP(t, tok, d.Clock.Now())), "allow factor totp")
	fail(t, d, wire.Auth{User: "alice", Service: "ftp", RHost: "evil.example"}, 20)
	d.Clock.Add(time.Minute)
	expect(t, d.Login(wire.Auth{User: "alice", Service: "login", TTY: "tty1"}, factordtest.TOTP(t, tok, d.Clock.Now())), "allow factor totp")
}

// A connection that has had its verdict goes.
func TestJudgedConnectionsGo(t *testing.T) {
	d := newDaemon(t, "")
	c, err := factordtest.Dial(d.Socket, 1002)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "AUTH user=root\n")
	begin := time.Now()
	go func() {
		for time.Since(begin) < 20*time.Second {
			fmt.Fprint(c, "NOP\n")
			time.Sleep(100 * time.Millisecond)
		}
	}()
	io.Copy(io.Discard, c)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("stays for %v", took)
	}
}

// enrolAsBob begins an enrolment line by line.
func enrolAsBob(t *testing.T, d *factordtest.Daemon, tok *factordtest.Token) (c net.Conn, hear func(prefix string) string) {
	t.Helper()
	return asBob(t, d, "ENROLL factor=totp", tok)
}

// asBob begins a command line by line. hear waits for a line that begins with a
// prefix; the token that factord shows on the way is put into tok.
func asBob(t *testing.T, d *factordtest.Daemon, command string, tok *factordtest.Token) (c net.Conn, hear func(prefix string) string) {
	t.Helper()
	c, err := factordtest.Dial(d.Socket, 1002)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintln(c, command)
	r := bufio.NewReader(c)
	return c, func(prefix string) (said string) {
		t.Helper()
		for !strings.HasPrefix(said, prefix) {
			if said, err = r.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(said, "D ") {
				decoded, _ := url.PathUnescape(strings.TrimSpace(said[2:]))
				json.Unmarshal([]byte(decoded), tok)
			}
		}
		return said
	}
}

// An invitation is for who has no factor, also at the moment it is spent.
func TestInvitationOvertaken(t *testing.T) {
	d := newDaemon(t, "")
	invitation := field(d.MustCall("INVITE user=bob"), "code")
	var tok factordtest.Token
	c, hear := enrolAsBob(t, d, &tok)
	hear("INQUIRE SECRET Invitation")
	fmt.Fprintf(c, "D %s\nEND\n", invitation)
	hear("INQUIRE PROMPT")
	d.MustEnroll("bob", "backup")
	fmt.Fprintf(c, "D %s\nEND\n", factordtest.TOTP(t, tok, d.Clock.Now()))
	if said := hear("ERR"); !strings.Contains(said, "changed meanwhile") {
		t.Errorf("got %q", said)
	}
}

// A proof is worth nothing when the factor it rests on has been taken away.
func TestProofDoesNotOutliveTheFactor(t *testing.T) {
	d := newDaemon(t, "")
	tok := d.MustEnroll("bob", "totp")
	c, hear := enrolAsBob(t, d, &tok)
	hear("INQUIRE")
	fmt.Fprintf(c, "D %s\nEND\n", factordtest.TOTP(t, tok, d.Clock.Now()))
	hear("INQUIRE")
	d.MustCall("REMOVE user=bob id=totp-1")
	fmt.Fprintf(c, "D %s\nEND\n", factordtest.TOTP(t, tok, d.Clock.Now()))
	if said := hear("ERR"); !strings.Contains(said, "changed meanwhile") {
		t.Errorf("got %q", said)
	}
	if list := d.MustCall("LIST user=bob"); strings.TrimSpace(list) != "[]" {
		t.Errorf("bob has %s", list)
	}
}

// In audit mode nobody is let in who is not there.
func TestAuditModeNeedsAClient(t *testing.T) {
	d := newDaemon(t, "[[rule]]\nfactors=[\"totp\"]\nmode=\"audit\"\n")
	d.MustEnroll("alice", "totp")
	c, err := factordtest.Dial(d.Socket, -1)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "AUTH user=alice conv=prompt\n")
	r := bufio.NewReader(c)
	for line := ""; !strings.HasPrefix(line, "INQUIRE"); {
		line, _ = r.ReadString('\n')
	}
	c.Close()
	d.Wait(func() bool { return d.Connections() == 0 })
	if audit := d.MustCall("AUDIT"); strings.Contains(audit, "allow") {
		t.Errorf("audit: %s", audit)
	}
}

// The record of su says who was asked and whom they become.
func TestAuditNamesTheTarget(t *testing.T) {
	d := newDaemon(t, "[[rule]]\nfactors=[\"totp\"]\nsubject=\"caller\"\n")
	tok := d.MustEnroll("alice", "totp")
	expect(t, d.Login(wire.Auth{User: "root", Service: "su", RUser: "alice"}, factordtest.TOTP(t, tok, d.Clock.Now())), "allow factor totp")
	if audit := d.MustCall("AUDIT last=1"); !strings.Contains(audit, `"user":"alice","target":"root"`) {
		t.Errorf("audit: %s", audit)
	}
}

// Root's codes can be seen and taken back.
func TestBypassCanBeTakenBack(t *testing.T) {
	d := newDaemon(t, "")
	code := field(d.MustCall("BYPASS user=alice for=720h"), "code")
	if list := d.MustCall("LIST user=alice"); !strings.Contains(list, `"id":"bypass-1"`) {
		t.Errorf("list: %s", list)
	}
	d.MustCall("REMOVE user=alice id=bypass-1")
	expect(t, d.Login(sudo, code), "deny denied")
	d.MustCall("INVITE user=alice")
	d.MustCall("REMOVE user=alice id=invite-1")
}

// An account that was renamed is not one without a factor.
func TestRenamedAccount(t *testing.T) {
	d := newDaemon(t, "[[rule]]\nfactors=[\"totp\"]\nmode=\"enrolled\"\n")
	d.Users.Set("dave", 1005)
	d.MustEnroll("dave", "totp")
	d.Users.Rename("dave", "davina")
	davina := wire.Auth{User: "davina", Service: "sudo", First: true}
	expect(t, d.Login(davina), "deny not-permitted")
	d.MustCall("REMOVE user=dave id=totp-1") // an account that is gone
	expect(t, d.Login(davina), "allow not-enrolled")
	d.Users.Set("dave", 1006) // somebody new gets the old name
	if data, err := factordtest.Call(d.Socket, 1006, "LIST"); err == nil {
		t.Errorf("the new dave sees the old one's factors: %s", data)
	}
}

// Damaged records keep everybody out but who has a code that root has just made,
// and root can clear them away.
func TestDamagedRecords(t *testing.T) {
	d := newDaemon(t, "")
	d.MustEnroll("alice", "totp")
	spoilRecords(t, d)
	expect(t, d.Login(proven, "000000"), "deny unavailable")
	code := field(d.MustCall("BYPASS user=alice"), "code")
	expect(t, d.Login(proven, code), "allow factor bypass")
	expect(t, d.Login(proven, code), "deny unavailable")
	if list := d.MustCall("LIST"); !strings.Contains(list, `"id":"totp-1","factor":"totp","kind":"damaged"`) {
		t.Errorf("list: %s", list)
	}
	d.MustCall("REMOVE user=alice id=totp-1")
	tok := d.MustEnroll("alice", "totp")
	expect(t, d.Login(proven, factordtest.TOTP(t, tok, d.Clock.Now())), "allow factor totp")
}

// A damaged entry is mended by root's word.
func TestDamagedEntry(t *testing.T) {
	d := newDaemon(t, "")
	tok := d.MustEnroll("alice", "totp")
	spoil(t, d, "users")
	expect(t, d.Login(proven, "000000"), "deny unavailable")
	d.MustCall("UNLOCK user=alice")
	expect(t, d.Login(proven, factordtest.TOTP(t, tok, d.Clock.Now())), "allow factor totp")
}

// Two names of one account are one, in whatever order they are used.
func TestNamesOfOneUID(t *testing.T) {
	d := newDaemon(t, "[[rule]]\nfactors=[\"totp\"]\nmode=\"enrolled\"\n")
	d.Users.Set("bob2", 1099)
	d.MustCall("INVITE user=bob2") // makes an entry of another uid
	d.MustCall("REMOVE user=bob2 id=invite-1")
	tok := d.MustEnroll("bob", "totp")
	d.Users.Set("bob2", 1002)
	d.MustCall("UNLOCK user=bob2") // now an entry without records has bob's uid
	d.Users.Set("bob3", 1002)
	for _, name := range []string{"bob2", "bob3"} {
		a := wire.Auth{User: name, Service: "sudo", First: true}
		expect(t, d.Login(a, "000000"), "deny denied")
		fail(t, d, a, 6)
		d.MustCall("UNLOCK user=" + name)
		d.Clock.Add(30 * time.Second)
		expect(t, d.Login(a, factordtest.TOTP(t, tok, d.Clock.Now())), "allow factor totp")
	}
	if _, err := factordtest.Call(d.Socket, -1, "ENROLL factor=totp no-confirm=1 user=bob2"); err == nil {
		t.Error("one account is enrolled twice")
	}
}
