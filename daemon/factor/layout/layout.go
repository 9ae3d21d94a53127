// Package layout repairs what a security key has typed on a keyboard layout that
// it was not made for. A key presses the keys on which a US keyboard has the
// letters that it means; what then arrives depends on the layout that the person
// uses, who should not have to change it to log in.
//
// A text that can be read in two ways is left alone: one of them would be
// somebody else's.
package layout

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// maxText is the longest text that is looked at, in characters.
const maxText = 64

const (
	modhex  = "cbdefghijklnrtuv"
	decimal = "0123456789"
)

// keyboard is what keys type, alone and with Shift or Caps Lock: each text has all of
// them in the order of modhex or decimal.
type keyboard struct{ letters, digits []string }

// us is also every other keyboard with these letters and digits in the same place:
// QWERTZ and most more.
func us() keyboard {
	return keyboard{[]string{modhex, "CBDEFGHIJKLNRTUV"}, []string{decimal}}
}

// others are the keyboards, by the names that xkeyboard-config has for them, on
// which something else comes out. On those whose digits need Shift, Caps Lock gives
// digits, or what the keys type alone in upper case: systems differ.
func others() []keyboard {
	letters, digits := us().letters, us().digits
	return []keyboard{
		{[]string{"jxe.uidchtnbpygk", "JXE>UIDCHTNBPYGK"}, digits},                          // us(dvorak)
		{[]string{"cbsftdhuneikpglv", "CBSFTDHUNEIKPGLV"}, digits},                          // us(colemak)
		{[]string{"cbedtgyrniopfkuv", "CBEDTGYRNIOPFKUV"}, digits},                          // us(norman)
		{[]string{"cbdefghıjklnrtuv", "CBDEFGHIJKLNRTUV"}, digits},                          // tr
		{[]string{"сивуапршолдткегм", "СИВУАПРШОЛДТКЕГМ"}, digits},                          // ru, ua
		{[]string{"ψβδεφγηιξκλνρτθω", "ΨΒΔΕΦΓΗΙΞΚΛΝΡΤΘΩ"}, digits},                          // gr
		{[]string{"בנגקכעיןחלךמראוה", "CBDEFGHIJKLNRTUV"}, digits},                          // il
		{letters, []string{`à&é"'(-è_ç`, `À&É"'(-È_Ç`, decimal}},                            // fr
		{letters, []string{`à&é"'(§è!ç`, `À&É"'(§È!Ç`, decimal}},                            // be
		{letters, []string{`é+ěščřžýáí`, `É+ĚŠČŘŽÝÁÍ`, decimal}},                            // cz
		{[]string{"xkipe,cdtsr'oèv.", "XKIPE;CDTSR?OÈV:"}, []string{`*"«»()@+-/`, decimal}}, // fr(bepo)
	}
}

// Modhex returns text as the key meant it, in lower case. It is false if that is no
// modhex, or not clear. What is modhex as it stands is never read otherwise.
func Modhex(text []byte) ([]byte, bool) {
	return agreed(func(k keyboard) ([]byte, bool) { return k.read(text, true, false) })
}

// Readings are all that a key can have meant by text in modhex, as it stands first.
// Few letters are enough to look like those of another keyboard: who knows what is
// expected can tell which reading it is.
func Readings(text []byte) (all [][]byte) {
	for _, k := range append([]keyboard{us()}, others()...) {
		read, ok := k.read(text, true, false)
		if ok && !slices.ContainsFunc(all, func(other []byte) bool { return bytes.Equal(other, read) }) {
			all = append(all, read)
		}
	}
	return all
}

// Digits does the same as Modhex for digits.
func Digits(text []byte) ([]byte, bool) {
	return agreed(func(k keyboard) ([]byte, bool) { return k.read(text, false, true) })
}

// After does the same for the digits behind a prefix, a token identifier of modhex and
// digits. The prefix tells which keyboard it was, which letters so few do not.
func After(text []byte, prefix string) ([]byte, bool) {
	return agreed(func(k keyboard) ([]byte, bool) {
		read, ok := k.read(text, true, true)
		if !ok || !bytes.HasPrefix(read, []byte(prefix)) {
			return nil, false
		}
		rest := read[len(prefix):]
		return rest, len(bytes.Trim(rest, decimal)) == 0
	})
}

// agreed returns the reading of the US keyboard, or that which all others have in
// common that can have typed it.
func agreed(read func(keyboard) ([]byte, bool)) (found []byte, ok bool) {
	if found, ok = read(us()); ok {
		return found, true
	}
	for _, k := range others() {
		text, fits := read(k)
		switch {
		case !fits:
		case ok && !bytes.Equal(found, text):
			return nil, false
		default:
			found, ok = text, true
		}
	}
	return found, ok
}

// read returns the keys that were pressed for text: those of letters, of digits, or
// of both.
func (k keyboard) read(text []byte, letters, digits bool) ([]byte, bool) {
	if len(text) == 0 || len(text) > maxText*utf8.UTFMax || utf8.RuneCount(text) > maxText {
		return nil, false
	}
	read := make([]byte, 0, maxText)
	for _, r := range string(text) {
		key, ok := byte(0), false
		if letters {
			key, ok = keyOf(k.letters, modhex, r)
		}
		if digits && !ok {
			key, ok = keyOf(k.digits, decimal, r)
		}
		if !ok || r == utf8.RuneError {
			return nil, false
		}
		read = append(read, key)
	}
	return read, true
}

// keyOf is the key, of an alphabet, that types r.
func keyOf(typed []string, alphabet string, r rune) (byte, bool) {
	for _, keys := range typed {
		if at := index(keys, r); at >= 0 {
			return alphabet[at], true
		}
	}
	return 0, false
}

// index is the place of r among the characters of s.
func index(s string, r rune) int {
	n := 0
	for _, c := range s {
		if c == r {
			return n
		}
		n++
	}
	return -1
}
