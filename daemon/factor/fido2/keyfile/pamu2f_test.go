package keyfile_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor/fido2/assertion"
	"github.com/factord/factord/daemon/factor/fido2/keyfile"
)

const (
	xy  = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
	old = "-_8AAQ,04" + xy
)

func es256(t testing.TB) string {
	t.Helper()
	raw, err := hex.DecodeString(xy)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func TestParsePAMU2F(t *testing.T) {
	key := es256(t)
	eddsa := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{5}, 32))
	rs256 := base64.StdEncoding.EncodeToString(append(bytes.Repeat([]byte{0xff}, 256), 1, 0, 1))
	file := strings.Join([]string{
		"# who may",
		"alice:aWQ=," + key + ",es256,+presence",
		"bob:*," + eddsa + ",eddsa,+presence+verification+pin:aWQ=," + rs256 + ",rs256,",
		"",
		"carol:" + old + ":aWQ=," + key + ",es256",
		"alice:bmV3," + key + ",es256,+pin\r",
		"dave:",
	}, "\n")
	all, err := keyfile.ParsePAMU2F([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range all {
		s := fmt.Sprintf("%d %s %v", p.Line, p.User, p.Before)
		for _, c := range p.Credentials {
			s += fmt.Sprintf(" [%x %s %t %t %t %t]", c.ID, c.Key.Algorithm(), c.Presence, c.Verification, c.PIN, c.U2F)
		}
		got = append(got, s)
	}
	want := []string{
		"6 alice [2] [6e6577 ES256 false false true false]",
		"3 bob [] [ EdDSA true true true false] [6964 RS256 false false false false]",
		"5 carol [] [fbff0001 ES256 true false false true] [6964 ES256 false false false false]",
		"7 dave []",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !all[2].Credentials[0].Key.Equal(all[2].Credentials[1].Key) || all[1].Credentials[0].ID != nil {
		t.Error("a key was read wrongly")
	}
}

func TestParsePAMU2FRefuses(t *testing.T) {
	key := es256(t)
	for name, line := range map[string]string{
		"empty file":            "",
		"only comments":         "# nobody\n",
		"no colon":              "alice",
		"no user":               ":aWQ=," + key + ",es256,+presence",
		"user with a space":     "al ice:aWQ=," + key + ",es256,+presence",
		"one field":             "alice:aWQ=",
		"five fields":           "alice:aWQ=," + key + ",es256,+presence,",
		"id is no base64":       "alice:a-Q=," + key + ",es256,+presence",
		"empty id":              "alice:," + key + ",es256,+presence",
		"key is no base64":      "alice:aWQ=,?,es256,+presence",
		"key off the curve":     "alice:aWQ=," + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 64)) + ",es256,+presence",
		"short key":             "alice:aWQ=,aWQ=,eddsa,+presence",
		"another algorithm":     "alice:aWQ=," + key + ",es384,+presence",
		"unknown option":        "alice:aWQ=," + key + ",es256,+presence+userless",
		"option twice":          "alice:aWQ=," + key + ",es256,+presence+presence",
		"option without a plus": "alice:aWQ=," + key + ",es256,presence",
		"old: no base64":        "alice:a+b,04" + xy,
		"old: no hexadecimal":   "alice:aWQ,04" + xy[2:] + "zz",
		"old: no point":         "alice:aWQ," + xy,
		"too many keys":         "alice" + strings.Repeat(":"+old, 25),
		"long line":             "alice:" + strings.Repeat(":", 70000),
		"long file":             strings.Repeat("# nobody\n", 200000),
	} {
		if all, err := keyfile.ParsePAMU2F([]byte(line)); err == nil {
			t.Errorf("%s: %+v", name, all)
		} else if strings.Contains(err.Error(), "alice") && !strings.Contains(err.Error(), "hint: a line is like") {
			t.Errorf("%s: the error quotes the file: %v", name, err)
		}
	}
}

func FuzzParsePAMU2F(f *testing.F) {
	key := es256(f)
	f.Add([]byte("alice:aWQ=," + key + ",es256,+presence+verification+pin:*," + key + ",es256\n"))
	f.Add([]byte("# old\ncarol:" + old + "\ncarol:" + old + ":" + old))
	f.Fuzz(func(t *testing.T, file []byte) {
		all, err := keyfile.ParsePAMU2F(file)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, p := range all {
			if p.User == "" || seen[p.User] || p.Line == 0 {
				t.Errorf("%+v", p)
			}
			seen[p.User] = true
			for _, c := range p.Credentials {
				if (c.Key.Algorithm() == assertion.Algorithm(0)) || c.ID != nil && len(c.ID) == 0 {
					t.Errorf("%+v", c)
				}
			}
		}
	})
}
