package backup

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"7k2m-x9qa-04vd":    "7k2mx9qa04vd",
		"7K2M-X9QA-04VD":    "7k2mx9qa04vd",
		"7k2m x9qa 04vd":    "7k2mx9qa04vd",
		"7k2m-x9qa 04vd":    "7k2mx9qa04vd",
		"il1o-IL1O-0000":    "111011100000",
		"1234 5678 9012":    "123456789012",
		"7k2mx9qa04vd":      "7k2mx9qa04vd",
		"7k2mx9qa04vdd":     "",
		"7k2m--x9qa-04vd":   "",
		"7k2m - x9qa-04vd":  "",
		"7k2m-x9qa-04v":     "",
		"7k2m-x9qa-04vdd":   "",
		" 7k2m-x9qa-04vd":   "",
		"7k2m-x9qa-04vd ":   "",
		"7k2m-x9qa-04v-":    "",
		"7k2mx-9qa-04vd":    "",
		"7k2m_x9qa_04vd":    "",
		"7k2m\tx9qa\t04vd":  "",
		"uuuu-uuuu-uuuu":    "",
		"7k2m-x9qa-04v\x00": "",
		"7k2m–x9qa–0":       "", // en dashes
		"":                  "",
		"123456":            "",
	} {
		code, ok := parse(factor.Secret(text))
		if ok != (want != "") || string(code) != want {
			t.Errorf("%q: %q, %v", text, string(code), ok)
		}
	}
}

func TestNewCode(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}$`)
	count := make(map[byte]int)
	random := &counting{}
	for range 1000 {
		code, err := newCode(random)
		if err != nil || !form.MatchString(spell(code)) {
			t.Fatalf("code %q, %v", spell(code), err)
		}
		for _, c := range code {
			count[c]++
		}
	}
	for i := range len(alphabet) {
		if n := count[alphabet[i]]; n < 250 || n > 500 { // of 375
			t.Errorf("%q came %d times", alphabet[i], n)
		}
	}
	if _, err := newCode(bytes.NewReader(make([]byte, 11))); err == nil {
		t.Error("made a code of too little")
	}
}

// What is read as a code is spelled in one way, which reads as the same code.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"7k2m-x9qa-04vd", "IL1O iiii-llll", "7k2mx9qa04vd", "", "--------------", "              "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		code, ok := parse(factor.Secret(text))
		if !ok {
			if code != nil {
				t.Errorf("%q: refused and returned", text)
			}
			return
		}
		if len(code) != 12 || strings.Trim(string(code), alphabet) != "" {
			t.Fatalf("%q: read as %q", text, string(code))
		}
		again, ok := parse(factor.Secret(spell(code)))
		if !ok || !again.Equal(code) {
			t.Errorf("%q: %q reads as %q", text, spell(code), string(again))
		}
		if upper, ok := parse(factor.Secret(strings.ToUpper(text))); !ok || !upper.Equal(code) {
			t.Errorf("%q: the case matters", text)
		}
	})
}
