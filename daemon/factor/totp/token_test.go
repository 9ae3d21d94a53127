package totp

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
)

func sampleRecord(t testing.TB, change func(string) string) factor.Record {
	tok, err := newToken(kindTOTP)
	if err != nil {
		t.Fatal(err)
	}
	tok.ID, tok.Name, tok.Secret, tok.Created = "totp-1", "phone", seed(rfcSecret), time.Unix(1_700_000_000, 0).UTC()
	tok.TOTP.Spent = []int64{5, 7}
	value, err := json.Marshal(tok)
	if err != nil {
		t.Fatal(err)
	}
	return factor.Record{ID: tok.ID, Value: []byte(change(string(value)))}
}

func same(s string) string { return s }

func replace(old, new string) func(string) string {
	return func(s string) string {
		if !strings.Contains(s, old) {
			panic(fmt.Sprintf("%q is not in %s", old, s))
		}
		return strings.Replace(s, old, new, 1)
	}
}

func TestDecode(t *testing.T) {
	r := sampleRecord(t, same)
	want := `{"v":1,"name":"phone","created":"2023-11-14T22:13:20Z","secret":"` + rfcBase32 +
		`","algorithm":"SHA1","digits":6,"totp":{"period":30,"floor":-1,"spent":[5,7]}}`
	if string(r.Value) != want {
		t.Errorf("the form of records changed without a new version:\n%s\n%s", r.Value, want)
	}
	tok, err := record.Decode[token](r)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := json.Marshal(tok); string(again) != want {
		t.Errorf("not the same again: %s", again)
	}
	for name, change := range map[string]func(string) string{
		"empty":            func(string) string { return "" },
		"null":             func(string) string { return "null" },
		"array":            func(string) string { return "[]" },
		"no version":       replace(`"v":1,`, ``),
		"version 0":        replace(`"v":1`, `"v":0`),
		"version 2":        replace(`"v":1`, `"v":2`),
		"unknown field":    replace(`"v":1`, `"v":1,"x":1`),
		"unknown in state": replace(`"period"`, `"x":1,"period"`),
		"trailing":         func(s string) string { return s + "{}" },
		"trailing junk":    func(s string) string { return s + "x" },
		"cut":              func(s string) string { return s[:len(s)-1] },
		"no kind":          replace(`,"totp":{"period":30,"floor":-1,"spent":[5,7]}`, ``),
		"two kinds":        replace(`"totp"`, `"hotp":{"counter":0,"look-ahead":1},"totp"`),
		"other kind":       replace(`"totp":{"period":30,"floor":-1,"spent":[5,7]}`, `"hotp":{"counter":0,"look-ahead":1}`),
		"no name":          replace(`"phone"`, `""`),
		"bad name":         replace(`"phone"`, `"a\u0007b"`),
		"short secret":     replace(rfcBase32, rfcBase32[:16]),
		"no secret":        replace(rfcBase32, ""),
		"not base32":       replace(rfcBase32, strings.Replace(rfcBase32, "G", "1", 1)),
		"hidden secret":    replace(rfcBase32, "[secret]"),
		"MD5":              replace(`"SHA1"`, `"MD5"`),
		"5 digits":         replace(`"digits":6`, `"digits":5`),
		"9 digits":         replace(`"digits":6`, `"digits":9`),
		"period 14":        replace(`"period":30`, `"period":14`),
		"period 121":       replace(`"period":30`, `"period":121`),
		"floor -2":         replace(`"floor":-1`, `"floor":-2`),
		"floor huge":       replace(`"floor":-1`, `"floor":9223372036854775807`),
		"unordered":        replace(`[5,7]`, `[7,5]`),
		"twice":            replace(`[5,7]`, `[5,5]`),
		"below the floor":  replace(`"floor":-1`, `"floor":5`),
		"spent huge":       replace(`[5,7]`, `[5,9223372036854775807]`),
		"too many spent":   replace(`5,7`, strings.TrimSuffix(strings.Repeat("7,", maxSpent+1), ",")),
		"restored":         replace(`"floor"`, `"restored":1,"floor"`),
		"drift":            replace(`"floor"`, `"drift":33,"floor"`),
		"too long":         func(s string) string { return s + strings.Repeat(" ", factor.MaxRecord) },
	} {
		if _, err := record.Decode[token](sampleRecord(t, change)); err == nil {
			t.Errorf("%s: decoded", name)
		} else if strings.Contains(err.Error(), rfcBase32) {
			t.Errorf("%s: the error has the secret: %v", name, err)
		}
	}
}

func TestIDs(t *testing.T) {
	for _, id := range []string{"", "totp", "totp-", "totp-0", "totp-01", "totp-+1", "totp--1", "hotp-1", "x-1", "totp-1-1", "totp-99999999999"} {
		r := sampleRecord(t, same)
		r.ID = id
		if _, err := record.Decode[token](r); err == nil {
			t.Errorf("%q: decoded", id)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	tok, err := record.Decode[token](sampleRecord(t, same))
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		if out := fmt.Sprintf(verb, tok.Secret) + fmt.Sprintf(verb, *tok); strings.Contains(out, rfcSecret) || strings.Contains(out, "3132") || strings.Contains(out, "0x31") {
			t.Errorf("%s: %s", verb, out)
		}
	}
}

func TestDescribe(t *testing.T) {
	u := newUser(t, 1)
	u.timed("totp-1", rfcSecret)
	tok := u.counted("hotp-2", other(2), 3)
	tok.Name, tok.Algorithm, tok.Digits, tok.HOTP.Prefix, tok.Created = "key", "SHA512", 8, "ub", u.now.UTC()
	u.keep(tok)
	list, _ := u.rs.List()
	item, err := u.f.Describe(list[0])
	want := factor.Item{ID: "hotp-2", Factor: "totp", Kind: "hotp", Name: "key", Created: u.now.UTC(),
		Detail: map[string]string{"algorithm": "SHA512", "digits": "8", "counter": "3", "look-ahead": "10", "prefix": "ub"}}
	if err != nil || !reflect.DeepEqual(item, want) {
		t.Errorf("described as %+v, %v", item, err)
	}
	item, err = u.f.Describe(list[1])
	if err != nil || !reflect.DeepEqual(item.Detail, map[string]string{"algorithm": "SHA1", "digits": "6", "period": "30"}) {
		t.Errorf("described as %+v, %v", item, err)
	}
	if _, err := u.f.Describe(factor.Record{ID: "totp-1", Value: []byte("{}")}); err == nil {
		t.Error("described what it can't read")
	}
}

// What decodes is sound, and encodes to what decodes to the same.
func FuzzRecord(f *testing.F) {
	f.Add("totp-1", sampleRecord(f, same).Value)
	f.Add("hotp-2", []byte(fmt.Sprintf(`{"v":1,"name":"k","created":"2023-11-14T22:13:20Z","used":"2024-11-14T22:13:20Z","secret":%q,"algorithm":"SHA512","digits":8,"hotp":{"counter":%d,"look-ahead":100,"prefix":"ub"}}`,
		rfcBase32, uint64(math.MaxUint64))))
	f.Fuzz(func(t *testing.T, id string, value []byte) {
		tok, err := record.Decode[token](factor.Record{ID: id, Value: value})
		if err != nil {
			return
		}
		again, err := json.Marshal(tok)
		if err != nil {
			t.Fatal(err)
		}
		same, err := record.Decode[token](factor.Record{ID: id, Value: again})
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if !same.Created.Equal(tok.Created) || !same.Used.Equal(tok.Used) {
			t.Errorf("%s: times differ", again)
		}
		same.Created, same.Used = tok.Created, tok.Used
		if tok.TOTP != nil && len(tok.TOTP.Spent) == 0 {
			tok.TOTP.Spent = nil
		}
		if !reflect.DeepEqual(same, tok) {
			t.Errorf("%+v became %+v", tok, same)
		}
		if _, err := tok.settle(factor.Secret("123456"), attempt{now: time.Unix(1_700_000_000, 0), window: 1}); err != nil {
			t.Logf("settling: %v", err)
		}
	})
}
