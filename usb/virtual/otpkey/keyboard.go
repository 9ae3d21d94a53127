package otpkey

import (
	"fmt"
	"strings"
	"time"
)

// Output is how a slot types.
type Output struct {
	NoReturn bool // without the Enter at the end, which nearly all keys type
	TabFirst bool
	TabID    bool // a Tab between public id and code
	TabCode  bool // a Tab after the code
	DelayID  bool // half a second between public id and code
	DelayEnd bool // half a second after the code
	Keypad   bool // digits of the numeric keypad
	// Pace is added after every character: 20, 40 or 60 ms.
	Pace time.Duration
}

// Stroke is one keyboard report, and how long the key then waits.
type Stroke struct {
	Report [ReportSize]byte // of a boot keyboard: modifiers, 0, and up to six usages
	Wait   time.Duration
}

// Times of the keyboard.
const (
	// interval is the endpoint's: the host asks no more often.
	interval = 10 * time.Millisecond
	delay    = 500 * time.Millisecond
)

// Usages of the HID usage page 0x07. shift marks one that wants the shift key.
const (
	usageEnter  = 0x28
	usageTab    = 0x2b
	keypadOne   = 0x59
	keypadZero  = 0x62
	keypadEnter = 0x58
	shift       = 0x80
	leftShift   = 0x02 // the modifier
)

// scanOrder are the characters of a scan map.
const scanOrder = "cbdefghijklnrtuvCBDEFGHIJKLNRTUV0123456789!\t\r"

// ScanMap has the usage of each character of scanOrder, with bit 0x80 for shift. The
// zero value is the one that keys are sold with.
type ScanMap [len(scanOrder)]byte

// usual is the US layout: from 0x04 on, without and with shift. A zero is a key that
// has no character.
const (
	plainKeys = "abcdefghijklmnopqrstuvwxyz1234567890\r\x00\x00\t -=[]\\\x00;'`,./"
	shiftKeys = "ABCDEFGHIJKLMNOPQRSTUVWXYZ!@#$%^&*()\x00\x00\x00\x00\x00_+{}|\x00:\"~<>?"
	firstKey  = 0x04
)

// usage is where a character is.
func (m *ScanMap) usage(c byte) (byte, error) {
	if at := strings.IndexByte(scanOrder, c); at >= 0 && *m != (ScanMap{}) {
		return m[at], nil
	}
	if at := strings.IndexByte(plainKeys, c); at >= 0 && c != 0 {
		return byte(firstKey + at), nil
	}
	if at := strings.IndexByte(shiftKeys, c); at >= 0 && c != 0 {
		return byte(firstKey+at) | shift, nil
	}
	return 0, fmt.Errorf("no key types %q", c)
}

// ParseScanMap reads a map of 45 usages.
func ParseScanMap(usages []byte) (ScanMap, error) {
	var m ScanMap
	if len(usages) != len(m) {
		return m, fmt.Errorf("a scan map has %d usages, not %d", len(m), len(usages))
	}
	copy(m[:], usages)
	return m, nil
}

// strokes types an OTP.
func (o *Output) strokes(m ScanMap, id, code string) ([]Stroke, error) {
	var s []Stroke
	for _, part := range []struct {
		on    bool
		text  string
		after bool // a delay
	}{
		{o.TabFirst, "\t", false},
		{true, id, false},
		{o.TabID, "\t", false},
		{o.DelayID, "", true},
		{true, code, false},
		{o.TabCode, "\t", false},
		{o.DelayEnd, "", true},
		{!o.NoReturn, "\r", false},
	} {
		if !part.on {
			continue
		}
		typed, err := o.text(m, part.text)
		if err != nil {
			return nil, err
		}
		s = append(s, typed...)
		if part.after && len(s) > 0 {
			s[len(s)-1].Wait += delay
		}
	}
	return s, nil
}

// text types characters: a report with the usage, and an empty one, for each.
func (o *Output) text(m ScanMap, text string) ([]Stroke, error) {
	var s []Stroke
	for _, c := range []byte(text) {
		u, err := m.usage(c)
		if err != nil {
			return nil, err
		}
		if o.Keypad {
			u = keypad(c, u)
		}
		press := Stroke{Wait: interval}
		press.Report[2] = u &^ shift
		if u&shift != 0 {
			press.Report[0] = leftShift
		}
		s = append(s, press, Stroke{Wait: interval + o.Pace})
	}
	return s, nil
}

// keypad is where a digit is on the numeric keypad.
func keypad(c, otherwise byte) byte {
	switch {
	case c == '0':
		return keypadZero
	case c >= '1' && c <= '9':
		return keypadOne + c - '1'
	case c == '\r':
		return keypadEnter
	}
	return otherwise
}

// Strokes types text as it stands, with the keys of the US layout; "\r" is Enter.
func Strokes(text string) ([]Stroke, error) {
	return (&Output{}).text(ScanMap{}, text)
}
