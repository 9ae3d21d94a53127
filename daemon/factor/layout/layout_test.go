package layout

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const otp = "dteffujehknhfjbrjnlnldnhcujvddbikngjrtgh"

// all are all keyboards.
func all() []keyboard { return append(others(), us()) }

// typed is text, of alphabet, as it comes out of keys.
func typed(keys, alphabet, text string) string {
	var b strings.Builder
	for _, c := range text {
		b.WriteRune([]rune(keys)[strings.IndexRune(alphabet, c)])
	}
	return b.String()
}

func TestTables(t *testing.T) {
	for _, k := range all() {
		meaning := map[rune]byte{}
		check := func(typed []string, alphabet string) {
			for _, keys := range typed {
				if utf8.RuneCountInString(keys) != len(alphabet) {
					t.Errorf("%q has not %d keys", keys, len(alphabet))
				}
				for at, c := range []rune(keys) {
					if was, twice := meaning[c]; twice && was != alphabet[at] {
						t.Errorf("%q is on two keys of %q", c, typed)
					}
					meaning[c] = alphabet[at]
				}
			}
		}
		check(k.letters, modhex)
		check(k.digits, decimal)
	}
}

func TestModhex(t *testing.T) {
	for _, k := range all() {
		for _, keys := range k.letters {
			in := typed(keys, modhex, otp)
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
		typed(others()[0].letters[0], modhex, "ub") + "ı", // Dvorak, and a Turkish letter
	} {
		if got, ok := Modhex([]byte(in)); ok {
			t.Errorf("%q is read as %q", in, got)
		}
	}
}

func TestReadings(t *testing.T) {
	for in, want := range map[string]string{
		"cbcb": "cbcb inin", // Dvorak
		"ub":   "ub fn ib",  // Dvorak, Colemak
		"pete": "rdkd rkfk ndfd efjf",
		"":     "", "!": "", "ψc": "",
	} {
		var got []string
		for _, one := range Readings([]byte(in)) {
			got = append(got, string(one))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: %q, want %q", in, s, want)
		}
	}
	// Whatever was typed is among them.
	for _, k := range all() {
		for _, keys := range k.letters {
			in := typed(keys, modhex, "nnnnnnvvtt")
			if !slices.ContainsFunc(Readings([]byte(in)), func(one []byte) bool { return string(one) == "nnnnnnvvtt" }) {
				t.Errorf("%q is not read", in)
			}
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
		`À&É"'(-È_Ç`: decimal, // Caps Lock
		`É+ĚŠČŘŽÝÁÍ`: decimal,
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

// A token identifier is letters and digits of one keyboard, and it tells which.
func TestAfter(t *testing.T) {
	const prefix, code = "ubhe00123456", "755224"
	for _, k := range all() {
		for _, letters := range k.letters {
			for _, digits := range k.digits {
				in := typed(letters, modhex, prefix[:4]) + typed(digits, decimal, prefix[4:]+code)
				if got, ok := After([]byte(in), prefix); !ok || string(got) != code {
					t.Errorf("%q is read as %q, %v", in, got, ok)
				}
			}
		}
	}
	for in, ok := range map[string]bool{
		"UBHE00123456755224": true,  // Caps Lock leaves digits alone
		"gxd.00123456755224": true,  // Dvorak
		"gxd.00123457755224": false, // another token
		"lbhf00123456755224": true,  // Colemak, which has modhex letters alone here
		"ubhe00123456":       true,  // and no code
		"ubhe00123456c":      false,
		"ubhe00123456 75522": false,
		"755224":             false,
		"":                   false,
		"ubhe00123456è((éé'": true, // Shift was let go of in the middle
	} {
		if got, is := After([]byte(in), prefix); is != ok {
			t.Errorf("%q is read as %q, %v", in, got, is)
		}
	}
	// With digits alone nothing tells French keyboards from Bépo's.
	if got, ok := After([]byte(`""((--`), ""); ok {
		t.Errorf("read as %q", got)
	}
}

// FuzzRepair: a repaired text is the same length and of the alphabet; what was right
// stays; and repairing it again changes nothing.
func FuzzRepair(f *testing.F) {
	for _, k := range all() {
		for _, keys := range k.letters {
			f.Add([]byte(typed(keys, modhex, otp)))
		}
		for _, keys := range k.digits {
			f.Add([]byte(keys))
		}
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
