package session_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// A code that is right for another time looks to everybody but root like one that
// is right for none: with a copy of the secret, or with luck, one could learn
// from it by how much to turn a clock.
func TestOnlyRootSeesTheOffset(t *testing.T) {
	needRoot(t)
	var log bytes.Buffer
	d := factordtest.NewDaemon(t, factordtest.Options{Log: &log})
	tok := d.MustEnroll("alice", "totp")
	d.MustEnroll("alice", "backup")
	for _, who := range []struct {
		uid  int
		auth wire.Auth
	}{{-1, sudo}, {-1, proven}, {aliceUID, wire.Auth{}}} {
		hears := func(answers ...string) string {
			p := &factordtest.Talk{Answers: answers}
			v, err := factordtest.Login(d.Socket, who.uid, who.auth, p)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(p.Shown, v.Reason, v.Text)
		}
		d.MustCall("UNLOCK user=alice")
		wrong := hears("000000", "000000", "000000")
		for _, offset := range []time.Duration{-9, -4, 4, 9} {
			d.MustCall("UNLOCK user=alice")
			at := d.Clock.Now().Add(offset * time.Minute)
			code := func(step int) string { return factordtest.TOTP(t, tok, at.Add(time.Duration(step)*30*time.Second)) }
			if got := hears(code(0), code(1), code(2)); got != wrong {
				t.Errorf("%v min off, heard\n%s\nwant\n%s", offset, got, wrong)
			}
			d.Clock.Add(time.Hour)
		}
	}
	const secret = "4 min ago"
	for _, command := range []string{"LIST", "EXPLAIN service=sudo", "STATUS"} {
		if data, err := factordtest.Call(d.Socket, aliceUID, command); err != nil || strings.Contains(fmt.Sprint(data), " min") {
			t.Errorf("%s: %s, %v", command, data, err)
		}
	}
	refused(t, d, aliceUID, "AUDIT", "only root")
	if audit := d.MustCall("AUDIT user=alice last=1000"); !strings.Contains(audit, `code of \"totp-1\" was valid `+secret) {
		t.Errorf("audit: %s", audit)
	}
	d.Stop()
	if !strings.Contains(log.String(), "was valid "+secret) {
		t.Errorf("journal: %s", log.String())
	}
}

// What a person hears who errs again and again: what to look at, how long to
// wait, and what to do instead.
func TestAdviceOnTheWay(t *testing.T) {
	d := newDaemon(t, "")
	d.MustEnroll("alice", "totp")
	one := func(a wire.Auth) string { return d.Login(a, "000000").Text }
	const clocks = "wrong code: is the phone's time set automatically?"
	for i, want := range []string{"wrong code", clocks, clocks, clocks, clocks, "wrong code; too many wrong codes: wait 2 s", "too many wrong codes: wait 2 s"} {
		if got := one(proven); got != want {
			t.Errorf("answer %d: %q, want %q", i+1, got, want)
		}
	}
	d.MustCall("UNLOCK user=alice")
	d.MustEnroll("alice", "backup")
	const paper = " a backup code works too"
	for i, want := range []string{"wrong code", clocks + paper, clocks + paper, clocks + paper, clocks + paper, clocks + paper, "too many wrong codes: wait 2 s, or use a backup code"} {
		if got := one(proven); got != want {
			t.Errorf("answer %d with paper: %q, want %q", i+1, got, want)
		}
	}
	d.MustCall("UNLOCK user=alice")
	if v := d.Login(proven, "000000", "000000", "000000"); v.Text != "too many wrong answers: is the phone's time set automatically?"+paper {
		t.Errorf("at the end: %q", v.Text)
	}
	d.MustCall("UNLOCK user=alice")
	for i := range 6 { // who is not proven
		if got := one(sudo); got != "wrong code" {
			t.Errorf("answer %d unproven: %q", i+1, got)
		}
	}
	if got := one(sudo); got != "too many wrong codes: wait 2 s" {
		t.Errorf("waiting unproven: %q", got)
	}
}

// Who enrols has the secret, so they may know that a first code is of another
// time; and a text of one line stays one.
func TestFirstCodeOfAnotherTime(t *testing.T) {
	d := newDaemon(t, "")
	const seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	early := factordtest.TOTP(t, factordtest.Token{URI: "?secret=" + seed}, d.Clock.Now().Add(5*time.Minute))
	refused(t, d, -1, "ENROLL factor=totp user=alice seed=1",
		"not a code of this token: nothing was enrolled\nhint: it is a code of another time", seed, early, early, early)
	c, err := factordtest.Dial(d.Socket, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := &factordtest.Talk{Answers: []string{seed, "000000", early}}
	l := wire.NewLines(c)
	if err := wire.Greet(l); err != nil {
		t.Fatal(err)
	}
	wire.Call(l, "ENROLL factor=totp user=alice seed=1", p, func([]byte) {})
	want := []string{"Seed: ", "Code of the new token: ", "that is not a code of this token, try the one shown now",
		"Code of the new token: ", "that is not a code of this token: it is a code of another time; set the clock of the phone, or of this machine", "Code of the new token: "}
	if !slices.Equal(p.Shown, want) {
		t.Errorf("shown %q", p.Shown)
	}
}
