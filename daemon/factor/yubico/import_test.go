package yubico

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factordtest/records"
	"github.com/factord/factord/daemon/factordtest/yksim"
)

// house is several users' keys.
type house map[string]*records.Memory

// of is what is kept for one user, with the others beside.
func (h house) of(user string) factor.Records {
	if h[user] == nil {
		h[user] = &records.Memory{}
	}
	rs := h[user]
	rs.Users = map[string]*records.Memory{}
	for name, other := range h {
		if name != user {
			rs.Users[name] = other
		}
	}
	return rs
}

// ids are the ids of what is kept.
func (h house) ids() string {
	var all []string
	for _, user := range slices.Sorted(maps.Keys(h)) {
		for _, id := range slices.Sorted(maps.Keys(h[user].Values)) {
			all = append(all, user+":"+id)
		}
	}
	return strings.Join(all, " ")
}

func (h house) imports(file, user, owners string) ([]factor.Imported, int, error) {
	b, err := New(Config{}).Import(factor.Import{File: factor.Secret(file), User: user, Owners: factor.Secret(owners)})
	if err != nil {
		return nil, 0, err
	}
	made, err := b.Commit(h.of, time.Unix(2_000_000_000, 0))
	return made, b.Left, err
}

// written is a key as ykman writes it.
func written(serial int, k *yksim.Key) string {
	privateID, aesKey := k.Secrets()
	return fmt.Sprintf("%d,%s,%s,%s,000000000000,2026-01-22T00:25:11,\n", serial, k.PublicID, privateID, aesKey)
}

const ksm = "# ykksm 1\r\n" +
	"00123412,dteffujehknh,8792ebfe26cc,ecde18dbe76fbd0c33330f1c354871db,be70aeca62ba,2026-01-22 00:25:11,\r\n" +
	"# a comment\r\n\r\n" +
	"4712,idkfefrdhtru,609963EAE7B5,C68C9DF8CBFE7D2F994CB904046C7218,be70aeca62ba,2026-01-22 00:25:11,2026-02-13 00:05:40,4711 # spare\r\n" +
	"4713,VVCCCCCCCCCB,010203040506,00112233445566778899aabbccddeeff,be70aeca62ba,2026-01-22T00:25:11,2026-02-13T00:05:40"

func TestImport(t *testing.T) {
	h := house{}
	made, left, err := h.imports(ksm, "", "# who has what\nidkfefrdhtru,bob,blue\r\n123412 , alice\n")
	if err != nil || left != 1 || h.ids() != "alice:yubico-1 bob:yubico-1" {
		t.Fatalf("%+v, %d left, %s, %v", made, left, h.ids(), err)
	}
	if want := (factor.Imported{User: "bob", ID: "yubico-1", Name: "blue", Detail: map[string]string{"public-id": "idkfefrdhtru", "serial": "4712"}}); !reflect.DeepEqual(made[1], want) {
		t.Errorf("%+v", made)
	}
	u := newUser(t, nil)
	u.rs = h["alice"]
	u.want("dteffujehknh"+"hknhfjbrjnlnldnhcujvddbikngjrtgh", factor.Proven) // a published OTP of these secrets
	u.rs = h["bob"]
	u.want("idkfefrdhtru"+"tjduvtcjbfeuvhehdvjjlbchtlenfgku", factor.Proven)
	if made, left, err = h.imports(strings.Join(strings.Split(ksm, "\n")[5:], "\n"), "alice", ""); err != nil || left != 0 || h.ids() != "alice:yubico-1 alice:yubico-2 bob:yubico-1" {
		t.Errorf("a second one: %+v, %s, %v", made, h.ids(), err)
	}
}

// Whatever is wrong is said with its line, and nothing of what stands there: it may be
// a secret in the wrong column.
func TestImportRefuses(t *testing.T) {
	one, two := yksim.NewKey(alicesID), yksim.NewKey(bobsID)
	privateID, aesKey := one.Secrets()
	twin := yksim.NewKey("vvvvvvvvvvvv")
	twin.PrivateID, twin.AESKey = one.PrivateID, one.AESKey
	good := written(1, one) + written(2, two)
	many := strings.Repeat("x", 9)
	for name, try := range map[string]struct{ file, user, owners, want string }{
		"empty":             {"", "alice", "", "no keys"},
		"comments alone":    {"# ykksm 1\n\n#\n", "alice", "", "no keys"},
		"encrypted":         {"-----BEGIN PGP MESSAGE-----\n\nabc", "alice", "", "gpg --decrypt"},
		"columns":           {good + "\n" + aesKey + "," + privateID, "alice", "", "line 4 of the keys: it has not 6 to 8"},
		"nine columns":      {written(1, one) + "3" + strings.Repeat(","+aesKey, 8), "alice", "", "line 2 of the keys: it has not"},
		"serial":            {many + "," + alicesID + "," + privateID + "," + aesKey + ",,,", "alice", "", "line 1 of the keys: column 1"},
		"key for serial":    {aesKey + "," + alicesID + "," + privateID + "," + aesKey + ",,,", "alice", "", "line 1 of the keys: column 1"},
		"swapped":           {"1," + aesKey + "," + privateID + "," + alicesID + ",,,", "alice", "", "line 1 of the keys: column 2"},
		"no public id":      {"1,," + privateID + "," + aesKey + ",,,", "alice", "", "line 1 of the keys: column 2"},
		"odd public id":     {"1,ccc," + privateID + "," + aesKey + ",,,", "alice", "", "line 1 of the keys: column 2"},
		"AES-256":           {good + "1,cccc," + privateID + "," + aesKey + aesKey + ",,,", "alice", "", "line 3 of the keys: the secrets are not"},
		"no private id":     {"1,cccc,," + aesKey + ",,,", "alice", "", "line 1 of the keys: the secrets are not"},
		"twice":             {good + written(3, one), "alice", "", "line 3 of the keys: it has the public id or the secrets of line 1"},
		"same secrets":      {good + written(3, twin), "alice", "", "line 3 of the keys: it has the public id or the secrets of line 1"},
		"too many":          {manyKeys(maxRows + 1), "alice", "", "more than 1000"},
		"too many for one":  {manyKeys(maxKeys + 1), "alice", "", "line 21 of the keys: no more than 20"},
		"no owners":         {good, "", "", "no key has an owner"},
		"owner of none":     {good, "", "1,alice\ncbcbcbcb,bob", "line 2 of the users: the file has no key"},
		"owner, no user":    {good, "", "1,", "line 1 of the users: it is not"},
		"the files swapped": {"1,alice\n", "", good, "line 1 of the keys: it has not"},
		"keys for users":    {good, "", good, "line 1 of the users: it is not"},
		"two owners":        {good, "", "1,alice\n\n2,bob\n" + strings.ToUpper(alicesID) + ",bob", "line 4 of the users: this key has an owner already, on line 1"},
		"two slots":         {written(7, one) + written(7, two), "", "7,alice", "lines 1 and 2 have this serial"},
		"name":              {good, "", "1,alice,\x1b[2J", "line 1 of the users: name"},
		"header":            {"serial,public id,private id,AES key,access code,time\n" + good, "alice", "", "line 1 of the keys: it names columns\nhint: take the line out, or put # before it"},
		"short header":      {"Serial,Public\n" + good, "alice", "", "line 1 of the keys: it names columns"},
		"header of users":   {good, "", "Key,User\n1,alice", "line 1 of the users: it names columns"},
		"traditional log":   {"LOGGING START,2026-01-22 00:25\nYubico OTP,2026-01-22 00:25,1," + alicesID + "," + privateID + "," + aesKey + ",,,0,0,0,0,0,0,0,0,0,0\n", "alice", "", "line 1 of the keys: it is of the Personalization Tool's traditional log\nhint: choose the log format \"Yubico\""},
		"its second line":   {"Yubico OTP,2026-01-22 00:25,1," + alicesID + "," + privateID + "," + aesKey + ",,,0,0,0,0,0,0,0,0,0,0\n", "alice", "", "line 1 of the keys: it is of the Personalization Tool's traditional log"},
		"names alike":       {good, "", "1,alice,blue\n2,alice,BLUE", "line 2 of the keys: the name \"BLUE\" is taken"},
	} {
		h := house{}
		_, _, err := h.imports(try.file, try.user, try.owners)
		if err == nil || !strings.Contains(err.Error(), try.want) {
			t.Errorf("%s: %v, want %q", name, err, try.want)
			continue
		}
		for _, secret := range []string{privateID, aesKey, many} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error quotes the file: %v", name, err)
			}
		}
	}
}

func TestImportOfOthersKeys(t *testing.T) {
	h, one := house{}, yksim.NewKey(alicesID)
	if _, _, err := h.imports(written(1, one), "alice", ""); err != nil {
		t.Fatal(err)
	}
	var no factor.Refusal
	if _, _, err := h.imports("\n"+written(1, one), "alice", ""); !errors.As(err, &no) || !strings.HasPrefix(no.Error(), "line 2 of the keys: the YubiKey with the public id \"dteffujehknh\" is enrolled for alice already, as \"yubico-1\"\nhint: take this line out") {
		t.Errorf("one's own: %v", err)
	}
	if _, _, err := h.imports(written(2, yksim.NewKey(bobsID))+written(1, one), "bob", ""); !errors.As(err, &no) || !strings.HasPrefix(no.Error(), "line 2 of the keys: the YubiKey with the public id \"dteffujehknh\" is another user's: alice has it, as \"yubico-1\"\nhint: take this line out of the keys; or, if it has changed hands: factorctl remove yubico-1 --user alice") {
		t.Errorf("another's: %v", err)
	}
	renamed := written(3, &yksim.Key{PublicID: "vvcccccccccd", PrivateID: one.PrivateID, AESKey: one.AESKey})
	if _, _, err := h.imports(renamed, "carol", ""); !errors.As(err, &no) || !strings.Contains(no.Error(), "another user's") {
		t.Errorf("another's under another public id: %v", err)
	}
	b, err := New(Config{}).Import(factor.Import{File: factor.Secret(written(4, yksim.NewKey("cbcb"))), User: "dave"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Commit(func(user string) factor.Records { return struct{ factor.Records }{h.of(user)} }, time.Now()); err == nil {
		t.Error("kept without a look at the others")
	}
}

// A record that can't be read may be of the very key that comes now: nobody gets it,
// and root hears whose record it is.
func TestImportBesideADamagedRecord(t *testing.T) {
	h, one := house{}, yksim.NewKey(alicesID)
	if _, _, err := h.imports(written(1, one), "alice", ""); err != nil {
		t.Fatal(err)
	}
	was := h["alice"].Values["yubico-1"]
	for name, value := range map[string][]byte{
		"sealed with another key": nil,
		"cut":                     was[:len(was)-1],
		"of a newer version":      []byte(strings.Replace(string(was), `"v":1`, `"v":2`, 1)),
		"with something new":      []byte(string(was[:len(was)-1]) + `,"new":1}`),
	} {
		h["alice"].Values["yubico-1"] = value
		_, _, err := h.imports(written(1, one), "bob", "")
		var no factor.Refusal
		if err == nil || errors.As(err, &no) || !strings.Contains(err.Error(), `"yubico-1" of user "alice" can't be read`) || len(h["bob"].Values) != 0 {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := h.imports(written(1, one), "alice", ""); err == nil {
			t.Errorf("%s: alice has it twice", name)
		}
	}
	h["alice"].Values["yubico-1"] = was
	if _, _, err := h.imports(written(1, yksim.NewKey(bobsID)), "bob", ""); err != nil {
		t.Errorf("after the repair: %v", err)
	}
}

// Editors that write a mark before UTF-8 write it before both files.
func TestImportByteOrderMark(t *testing.T) {
	h, one := house{}, yksim.NewKey(alicesID)
	if _, _, err := h.imports("\ufeff"+written(1, one), "", "\ufeff"+alicesID+",alice\n"); err != nil || h.ids() != "alice:yubico-1" {
		t.Errorf("%s, %v", h.ids(), err)
	}
	_, _, err := h.imports(written(1, one), "", "# once more\n1,bob\n")
	if err == nil || !strings.Contains(err.Error(), "hint: take line 2 out of the users") {
		t.Errorf("whose line it is: %v", err)
	}
}

// manyKeys is a file with n different keys.
func manyKeys(n int) string {
	var file strings.Builder
	for i := range n {
		id := appendModhex(nil, []byte{byte(i >> 8), byte(i)})
		fmt.Fprintf(&file, "%d,%s,%012x,%032x,,,\n", i+1, id, i, i)
	}
	return file.String()
}

// FuzzImport: what is taken from a file are keys that can be kept, each from a line of
// its own; and no error quotes the file.
func FuzzImport(f *testing.F) {
	f.Add([]byte(ksm), []byte("dteffujehknh,alice\n4712,bob,blue"))
	f.Add([]byte("1,cbcb,8792ebfe26cc,ecde18dbe76fbd0c33330f1c354871db,,,"), []byte("1,alice"))
	f.Add([]byte("1,ecde18dbe76fbd0c33330f1c354871db,8792ebfe26cc,cbcb,,,"), []byte("# \n,,"))
	f.Fuzz(func(t *testing.T, file, owners []byte) {
		h := house{}
		made, left, err := h.imports(string(file), "", string(owners))
		if err != nil {
			for field := range strings.FieldsFuncSeq(string(file), func(r rune) bool { return strings.ContainsRune(",\r\n# ", r) }) {
				if len(field) >= 2*privateIDSize && strings.Contains(err.Error(), field) && !strings.Contains(string(owners)+modhex, field) {
					t.Errorf("%q is quoted: %v", field, err)
				}
			}
			return
		}
		if len(made) == 0 || len(made)+left > strings.Count(string(file), "\n")+1 {
			t.Errorf("%d made and %d left", len(made), left)
		}
		kept := 0
		for _, rs := range h {
			u := &user{t: t, f: New(Config{}), rs: rs}
			for id := range rs.Values {
				u.key(id)
				kept++
			}
		}
		if kept != len(made) {
			t.Errorf("%d kept of %d", kept, len(made))
		}
	})
}
