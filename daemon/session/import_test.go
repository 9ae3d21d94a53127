package session_test

import (
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/yubico"
	"github.com/factord/factord/daemon/factordtest"
)

const (
	aliceKey = "4711,dteffujehknh,8792ebfe26cc,ecde18dbe76fbd0c33330f1c354871db,,,\n"
	bobKey   = "4712,idkfefrdhtru,609963eae7b5,c68c9df8cbfe7d2f994cb904046c7218,,,\n"
)

func TestImport(t *testing.T) {
	needRoot(t)
	d := factordtest.NewDaemon(t, factordtest.Options{Factors: []factor.Factor{yubico.New(yubico.Config{})}})
	kept := func() string { return d.MustCall("LIST") }
	nothing := kept()
	refused(t, d, bobUID, "IMPORT factor=yubico user=bob", "only root may import", bobKey, "")
	refused(t, d, -1, "IMPORT factor=totp user=bob", "can't import \"totp\": it is one of yubico")
	refused(t, d, -1, "IMPORT factor=yubico user=bob name=x", "unknown key")
	refused(t, d, -1, "IMPORT factor=yubico user=nobody-at-all", "no such user", aliceKey, "")
	refused(t, d, -1, "IMPORT factor=yubico", "line 2 of the users: no such user: \"carol-who\"", aliceKey+bobKey, "", "4711,alice\n4712,carol-who", "")
	refused(t, d, -1, "IMPORT factor=yubico user=bob", "cancelled", aliceKey)
	long := strings.Repeat(strings.Repeat("#", 999)+"\n", 10)
	many := make([]string, 30)
	for n := range many {
		many[n] = long
	}
	refused(t, d, -1, "IMPORT factor=yubico user=bob", "longer than 262144 bytes", many...)
	if got := kept(); got != nothing {
		t.Errorf("kept: %s", got)
	}
	both := aliceKey + bobKey
	got := d.MustCall("IMPORT factor=yubico", both[:30], both[30:90], both[90:], "", "4711,al", "ice\n4712,bob,blue", "")
	if want := `{"imported":[{"user":"alice","id":"yubico-1","name":"yubico-1","detail":{"public-id":"dteffujehknh","serial":"4711"}},{"user":"bob","id":"yubico-1","name":"blue","detail":{"public-id":"idkfefrdhtru","serial":"4712"}}],"left":0}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if audit := d.MustCall("AUDIT kind=import"); strings.Count(audit, `"kind":"import"`) != 2 || !strings.Contains(audit, `"user":"bob"`) || strings.Contains(audit, "ecde18") {
		t.Errorf("audit: %s", audit)
	}
	if audit := d.MustCall("AUDIT kind=import"); !strings.Contains(audit, `"id":"yubico-1","log":"name \"blue\", public id \"idkfefrdhtru\""`) {
		t.Errorf("audit does not say which key: %s", audit)
	}
	before := kept()
	refused(t, d, -1, "IMPORT factor=yubico user=alice", "line 2 of the keys: the YubiKey with the public id \"idkfefrdhtru\" is another user's: bob has it, as \"yubico-1\"",
		"1,cbcb,010203040506,00112233445566778899aabbccddeeff,,,\n"+bobKey, "")
	d.Users.Set("alice", 4711) // another account of the same name
	refused(t, d, -1, "IMPORT factor=yubico user=alice", "factorctl unlock alice", "1,cbcb,010203040506,00112233445566778899aabbccddeeff,,,\n", "")
	if got := kept(); got != before {
		t.Errorf("kept: %s", got)
	}
}
