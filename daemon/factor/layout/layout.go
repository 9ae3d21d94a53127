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
	"unicode/utf8"
)

// maxText is the longest text that is looked at, in characters.
const maxText = 64

// keyboard is what the keys of an alphabet type, in its order: alone, and with
// Shift or Caps Lock.
type keyboard struct{ plain, shifted string }

const modhex = "cbdefghijklnrtuv"

// us is also every other keyboard with these letters in the same place: QWERTZ,
// AZERTY and most more.
var us = keyboard{modhex, "CBDEFGHIJKLNRTUV"}

// letters are the keyboards, by the names that xkeyboard-config has for them, on
// which modhex comes out as something else.
func letters() []keyboard {
	return []keyboard{
		{"jxe.uidchtnbpygk", "JXE>UIDCHTNBPYGK"}, // us(dvorak)
		{"cbsftdhuneikpglv", "CBSFTDHUNEIKPGLV"}, // us(colemak)
		{"cbedtgyrniopfkuv", "CBEDTGYRNIOPFKUV"}, // us(norman)
		{"xkipe,cdtsr'oèv.", "XKIPE;CDTSR?OÈV:"}, // fr(bepo)
		{"cbdefghıjklnrtuv", "CBDEFGHIJKLNRTUV"}, // tr
		{"сивуапршолдткегм", "СИВУАПРШОЛДТКЕГМ"}, // ru, ua
		{"ψβδεφγηιξκλνρτθω", "ΨΒΔΕΦΓΗΙΞΚΛΝΡΤΘΩ"}, // gr
		{"בנגקכעיןחלךמראוה", "CBDEFGHIJKLNRTUV"}, // il
	}
}

const decimal = "0123456789"

// numbers are the keyboards whose digits need Shift. What a key types is then what
// they have without.
func numbers() []keyboard {
	return []keyboard{
		{`à&é"'(-è_ç`, decimal}, // fr
		{`à&é"'(§è!ç`, decimal}, // be
		{`*"«»()@+-/`, decimal}, // fr(bepo)
		{`é+ěščřžýáí`, decimal}, // cz
	}
}

// Modhex returns text as the key meant it, in lower case. It is false if that is no
// modhex, or not clear. What is modhex as it stands is never read otherwise.
func Modhex(text []byte) ([]byte, bool) {
	if read, ok := us.read(text, modhex); ok {
		return read, true
	}
	return only(text, modhex, letters())
}

// Digits does the same for digits.
func Digits(text []byte) ([]byte, bool) {
	if read, ok := (keyboard{decimal, decimal}).read(text, decimal); ok {
		return read, true
	}
	return only(text, decimal, numbers())
}

// only returns the reading that all keyboards have in common which can have typed
// text.
func only(text []byte, alphabet string, keyboards []keyboard) (found []byte, ok bool) {
	for _, k := range keyboards {
		read, fits := k.read(text, alphabet)
		switch {
		case !fits:
		case ok && !bytes.Equal(found, read):
			return nil, false
		default:
			found, ok = read, true
		}
	}
	return found, ok
}

// read returns the keys that were pressed for text.
func (k keyboard) read(text []byte, alphabet string) ([]byte, bool) {
	if len(text) == 0 || len(text) > maxText*utf8.UTFMax || utf8.RuneCount(text) > maxText {
		return nil, false
	}
	read := make([]byte, 0, maxText)
	for _, r := range string(text) {
		at := index(k.plain, r)
		if at < 0 {
			at = index(k.shifted, r)
		}
		if at < 0 || r == utf8.RuneError {
			return nil, false
		}
		read = append(read, alphabet[at])
	}
	return read, true
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
