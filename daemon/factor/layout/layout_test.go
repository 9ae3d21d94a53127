package layout

import (
	"strings"
	"testing"
	"unicode/utf8"
)

const otp = "dteffujehknhfjbrjnlnldnhcujvddbikngjrtgh"

// typed is text, of alphabet, as it comes out of a keyboard.
func typed(k keyboard, alphabet, text string, shift bool) string {
	keys := []rune(k.plain)
	if shift {
		keys = []rune(k.shifted)
	}
	var b strings.Builder
	for _, c := range text {
		b.WriteRune(keys[strings.IndexRune(alphabet, c)])
	}
	return b.String()
}

func TestTables(t *testing.T) {
	check := func(k keyboard, n int) {
		t.Helper()
		meaning := map[rune]int{}
		for _, keys := range []string{k.plain, k.shifted} {
			if utf8.RuneCountInString(keys) != n {
				t.Errorf("%q has not %d keys", keys, n)
			}
			for at, c := range []rune(keys) {
				if was, twice := meaning[c]; twice && was != at {
					t.Errorf("%q is on two keys of %q", c, keys)
				}
				meaning[c] = at
			}
		}
	}
	for _, k := range append(letters(), us) {
		check(k, len(modhex))
	}
	for _, k := range numbers() {
		check(k, len(decimal))
	}
}

func TestModhex(t *testing.T) {
	for _, k := range append(letters(), us) {
		for _, shift := range []bool{false, true} {
			in := typed(k, modhex, otp, shift)
			if got, ok := Modhex([]byte(in)); !ok || string(got) != otp {
				t.Errorf("%q is read as %q, %v", in, got, ok)
			}
		}
	}
	for in, want := range map[string]string{
		"DTEFFUJEhknhfjbrjnlnldnhcujvddbikngjrtgh": otp, // Caps Lock pressed in the middle
		"jxe.uidchtnbpygk":                         modhex,
		"JXE.UIDCHTNBPYGK":                         modhex, // Caps Lock: the dot stays
		"XKIPE,CDTSR'OÈV.":                         modhex,
		// Of letters that both have, it is modhex.
		"cbdefghijk": "cbdefghijk",
		"hhh":        "hhh",
	} {
		if got, ok := Modhex([]byte(in)); !ok || string(got) != want {
			t.Errorf("%q is read as %q, %v", in, got, ok)
		}
	}
}

func TestNoModhex(t *testing.T) {
	for _, in := range []string{
		"", "123456", "hello world", "a", otp + "!", " " + otp, "cb\x00", "\xff\xfe", "jxe\xff", "jxe�",
		strings.Repeat("c", 65), strings.Repeat("ψ", 65), strings.Repeat("c", 1<<20),
		"\u212a\u212a", // the Kelvin sign lower-cases to k, and is on no keyboard
		"ψc",           // no keyboard has both
		typed(letters()[0], modhex, "ub", false) + "ı", // Dvorak, and a Turkish letter
	} {
		if got, ok := Modhex([]byte(in)); ok {
			t.Errorf("%q is read as %q", in, got)
		}
	}
}

// What two keyboards may have typed is nobody's.
func TestAmbiguous(t *testing.T) {
	for _, in := range []string{
		"ppp",  // Dvorak: r, Colemak: r, Norman: n
		"pete", // Dvorak, Colemak, Norman and Bépo
		"op",   // Norman and Bépo
	} {
		if got, ok := Modhex([]byte(in)); ok {
			t.Errorf("%q is read as %q", in, got)
		}
	}
	for _, in := range []string{`"`, `"(-"(-`, `é`} {
		if got, ok := Digits([]byte(in)); ok {
			t.Errorf("%q is read as %q", in, got)
		}
	}
}

func TestDigits(t *testing.T) {
	for in, want := range map[string]string{
		`à&é"'(-è_ç`: decimal,
		`à&é"'(§è!ç`: decimal,
		`*"«»()@+-/`: decimal,
		`é+ěščřžýáí`: decimal,
		"755224":     "755224",
		"&é&é&é":     "121212", // French and Belgian: the same
	} {
		if got, ok := Digits([]byte(in)); !ok || string(got) != want {
			t.Errorf("%q is read as %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "12345a", "١٢٣٤٥٦", " 123456", otp} {
		if got, ok := Digits([]byte(in)); ok {
			t.Errorf("%q is read as %q", in, got)
		}
	}
}

// FuzzRepair: a repaired text is the same length and of the alphabet; what was right
// stays; and repairing it again changes nothing.
func FuzzRepair(f *testing.F) {
	for _, k := range letters() {
		f.Add([]byte(typed(k, modhex, otp, false)))
		f.Add([]byte(typed(k, modhex, otp, true)))
	}
	for _, k := range numbers() {
		f.Add([]byte(k.plain))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for alphabet, read := range map[string]func([]byte) ([]byte, bool){modhex: Modhex, decimal: Digits} {
			got, ok := read(in)
			asItStands := len(in) > 0 && len(in) <= maxText && strings.Trim(strings.ToLower(string(in)), alphabet) == "" && isASCII(in)
			switch {
			case asItStands && (!ok || string(got) != strings.ToLower(string(in))):
				t.Fatalf("%q is read as %q, %v", in, got, ok)
			case !ok:
				continue
			case len(got) != utf8.RuneCount(in) || len(got) > maxText || strings.Trim(string(got), alphabet) != "":
				t.Fatalf("%q is read as %q", in, got)
			}
			if again, ok := read(got); !ok || string(again) != string(got) {
				t.Fatalf("%q is read as %q, and that as %q", in, got, again)
			}
		}
	})
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
