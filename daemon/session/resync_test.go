package session_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/backup"
	"github.com/factord/factord/daemon/factor/totp"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

const (
	aliceUID = 1001
	bobUID   = 1002
)

// hotpCode is the code of a token at a counter.
func hotpCode(t *testing.T, tok factordtest.Token, counter uint64) string {
	t.Helper()
	code, err := hotp.GenerateCode(tok.Secret(), counter)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// refused sends a command as uid that has to fail, with a text.
func refused(t *testing.T, d *factordtest.Daemon, uid int, command, want string, answers ...string) {
	t.Helper()
	data, err := factordtest.Call(d.Socket, uid, command, answers...)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s as uid %d: %q, %v, want %q", command, uid, data, err, want)
	}
}

func TestResyncByRoot(t *testing.T) {
	d := newDaemon(t, "")
	tok := d.MustEnroll("alice", "hotp")
	at := func(n uint64) string { return hotpCode(t, tok, n) }
	expect(t, d.Login(sudo, at(500)), "deny denied")
	if got, want := d.MustCall("RESYNC id=hotp-1 user=alice", at(500), at(501)), `{"counter":502,"id":"hotp-1","user":"alice"}`; got != want {
		t.Errorf("reply %s, want %s", got, want)
	}
	if audit := d.MustCall("AUDIT last=1"); !strings.Contains(audit, `"kind":"resync","user":"alice"`) ||
		!strings.Contains(audit, `"factor":"totp","id":"hotp-1","log":"counter of \"hotp-1\" moved from 0 to 502"`) {
		t.Errorf("audit: %s", audit)
	}
	expect(t, d.Login(sudo, at(500)), "deny replayed")
	expect(t, d.Login(sudo, at(501)), "deny replayed")
	expect(t, d.Login(sudo, at(502)), "allow factor totp")

	// Three tries in one connection; the third here is right.
	d.MustCall("RESYNC id=hotp-1 user=alice", at(601), at(600), "", "x", " "+at(600)+" ", at(601)+"\t")
	const none = "not two codes of this token, one after the other: nothing was changed\nhint: "
	refused(t, d, -1, "RESYNC id=hotp-1 user=alice", none, at(500), at(501), at(700), at(702), at(700), at(700), at(700), at(701))
	expect(t, d.Login(sudo, at(602)), "allow factor totp")
	if refusals := d.MustCall("AUDIT refusals=1"); strings.Count(refusals, `"kind":"resync"`) != 1 || !strings.Contains(refusals, `"count":5`) {
		t.Errorf("refusals: %s", refusals)
	}
	refused(t, d, -1, "RESYNC id=hotp-1 user=alice", "cancelled", at(700))
}

func TestResyncByUser(t *testing.T) {
	d := newDaemon(t, "")
	counting, phone, set := d.MustEnroll("alice", "hotp"), d.MustEnroll("alice", "totp"), d.MustEnroll("alice", "backup")
	at := func(n uint64) string { return hotpCode(t, counting, n) }
	const resync = "RESYNC id=hotp-1"
	call := func(answers ...string) {
		t.Helper()
		if _, err := factordtest.Call(d.Socket, aliceUID, resync, answers...); err != nil {
			t.Error(err)
		}
	}
	call(factordtest.TOTP(t, phone, d.Clock.Now()), at(500), at(501))
	call(set.Codes[0], at(600), at(601))
	// The token does not vouch for itself: each of these would let in.
	refused(t, d, aliceUID, resync, "too many wrong answers", at(602), at(603), at(604), at(602), at(603))
	expect(t, d.Login(sudo, at(602)), "allow factor totp") // and none was spent on it
	d.Clock.Add(time.Minute)
	refused(t, d, aliceUID, resync, "nothing was changed", factordtest.TOTP(t, phone, d.Clock.Now()), "1", "2", "3", "4", "5", "6")
	d.Clock.Add(time.Minute)
	refused(t, d, aliceUID, resync, "cancelled", factordtest.TOTP(t, phone, d.Clock.Now()), at(603))
}

func TestResyncNeedsAnotherFactor(t *testing.T) {
	d := newDaemon(t, "")
	tok := d.MustEnroll("alice", "hotp")
	first, next := hotpCode(t, tok, 0), hotpCode(t, tok, 1)
	const alone = "you have no factor but hotp-1 that shows who you are\nhint: ask your administrator: factorctl resync hotp-1 --user alice"
	refused(t, d, aliceUID, "RESYNC id=hotp-1", alone, first, first, next)
	d.MustCall("BYPASS user=alice") // root's code lets in; it proves no factor
	refused(t, d, aliceUID, "RESYNC id=hotp-1", alone, first, next)
	// A second token of the kind is another factor.
	second := d.MustEnroll("alice", "hotp")
	if _, err := factordtest.Call(d.Socket, aliceUID, "RESYNC id=hotp-1", hotpCode(t, second, 0), first, next); err != nil {
		t.Error(err)
	}
}

func TestResyncOfWhom(t *testing.T) {
	d := newDaemon(t, "")
	tok := d.MustEnroll("alice", "hotp")
	d.MustEnroll("alice", "totp")
	d.MustEnroll("alice", "backup")
	codes := []string{hotpCode(t, tok, 0), hotpCode(t, tok, 1)}
	refused(t, d, bobUID, "RESYNC id=hotp-1 user=alice", "only root may do this for others", codes...)
	refused(t, d, bobUID, "RESYNC id=hotp-1", "bob has no \"hotp-1\"\nhint: factorctl list", codes...)
	for command, want := range map[string]string{
		"RESYNC id=hotp-7 user=alice":           "alice has no \"hotp-7\"\nhint: factorctl list shows the ids",
		"RESYNC user=alice":                     "alice has no \"\"",
		"RESYNC id=totp-2 user=alice":           "\"totp-2\" is time-based: it learns its drift by itself\nhint: ",
		"RESYNC id=backup-1 user=alice":         "\"backup-1\" has no counter\nhint: only HOTP tokens",
		"RESYNC id=hotp-1 user=nobody-such":     "no such user",
		"RESYNC id=hotp-1 user=alice counter=9": "unknown key \"counter\"",
	} {
		refused(t, d, -1, command, want, codes...)
	}
	d.Users.Set("alice", 4711)
	refused(t, d, -1, "RESYNC id=hotp-1 user=alice", "hint: if it is the same person", codes...)
	d.Users.Set("alice", aliceUID)
	spoilRecords(t, d)
	refused(t, d, -1, "RESYNC id=hotp-1 user=alice", "does not unseal", codes...)
}

// After a restored backup a token that counts is refused until it is resynced,
// and both root and its owner are told so. A record that is damaged keeps nothing
// from being restored.
func TestResyncAfterARestore(t *testing.T) {
	d := newDaemon(t, "")
	tok, set := d.MustEnroll("alice", "hotp"), d.MustEnroll("alice", "backup")
	restore := func() {
		t.Helper()
		err := d.Store.Update(t.Context(), func(tx *store.Tx) error {
			for _, f := range []interface {
				factor.Restorer
				Name() string
			}{totp.New(totp.Config{}), backup.New(backup.Config{}), backup.NewBypass(backup.Config{}), backup.NewInvite(backup.Config{})} {
				if err := f.Restored(tx.Scope("alice", f.Name()), nil, d.Clock.Now()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	bypass, invitation := field(d.MustCall("BYPASS user=alice"), "code"), field(d.MustCall("INVITE user=alice"), "code")
	restore()
	expect(t, d.Login(sudo, hotpCode(t, tok, 0)), "deny denied")
	if audit := d.MustCall("AUDIT last=2"); !strings.Contains(audit, `\"hotp-1\" has to be resynced after a restored backup: factorctl resync hotp-1 --user alice`) {
		t.Errorf("audit: %s", audit)
	}
	if v := d.Login(proven, hotpCode(t, tok, 0)); v.Text != "wrong code: hotp-1 has to be resynced: factorctl resync hotp-1" {
		t.Errorf("alice is told %q", v.Text)
	}
	if list := d.MustCall("LIST user=alice"); strings.Count(list, `"voided":"by a restored backup"`) != 3 || !strings.Contains(list, `"resync":"needed after a restored backup"`) {
		t.Errorf("list: %s", list)
	}
	for _, code := range append(set.Codes[:2], bypass, invitation) {
		expect(t, d.Login(sudo, code), "deny denied")
	}
	refused(t, d, aliceUID, "RESYNC id=hotp-1", "you have no factor but hotp-1", set.Codes[0])
	d.MustCall("RESYNC id=hotp-1 user=alice", hotpCode(t, tok, 20), hotpCode(t, tok, 21))
	d.MustCall("UNLOCK user=alice")
	expect(t, d.Login(sudo, hotpCode(t, tok, 22)), "allow factor totp")
	spoilRecords(t, d)
	restore()
}

// A proof is worth nothing when the factor it rests on has been taken away.
func TestResyncAfterARemoval(t *testing.T) {
	d := newDaemon(t, "")
	tok, set := d.MustEnroll("bob", "hotp"), d.MustEnroll("bob", "backup")
	c, hear := asBob(t, d, "RESYNC id=hotp-1", nil)
	hear("INQUIRE")
	fmt.Fprintf(c, "D %s\nEND\n", set.Codes[0])
	hear("INQUIRE SECRET First")
	fmt.Fprintf(c, "D %s\nEND\n", hotpCode(t, tok, 500))
	hear("INQUIRE SECRET Next")
	d.MustCall("REMOVE user=bob id=backup-1")
	fmt.Fprintf(c, "D %s\nEND\n", hotpCode(t, tok, 501))
	if said := hear("ERR"); !strings.Contains(said, "changed meanwhile") {
		t.Errorf("got %q", said)
	}
	expect(t, d.Login(wire.Auth{User: "bob"}, hotpCode(t, tok, 0)), "allow factor totp")
}
