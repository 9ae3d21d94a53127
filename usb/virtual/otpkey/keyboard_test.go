package otpkey

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"
)

// usages are those of the presses, in hex, "+" before one with shift; whatever is not a
// press and its release is an error.
func usages(t *testing.T, strokes []Stroke) string {
	t.Helper()
	var all []string
	for i, s := range strokes {
		if i%2 == 1 {
			if s.Report != [ReportSize]byte{} {
				t.Fatalf("report %d is no release: %x", i, s.Report)
			}
			continue
		}
		text := fmt.Sprintf("%02x", s.Report[2])
		switch rest := s.Report; {
		case rest[0] == leftShift:
			text = "+" + text
			fallthrough
		case rest[0] == 0:
			rest[0], rest[2] = 0, 0
			if rest != [ReportSize]byte{} {
				t.Fatalf("report %x", s.Report)
			}
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

// scanMap is the one that keys are sold with, as Yubico prints it.
const scanMap = "06050708090a0b0c0d0e0f111517181986858788898a8b8c8d8e8f9195979899" + "271e1f20212223242526" + "9e2b28"

// TestScanMap: what keys are sold with is the US layout's; another one is followed.
func TestScanMap(t *testing.T) {
	b, err := hex.DecodeString(scanMap)
	if err != nil {
		t.Fatal(err)
	}
	sold, err := ParseScanMap(b)
	if err != nil {
		t.Fatal(err)
	}
	var unset ScanMap
	for i := range scanOrder {
		set, err1 := sold.usage(scanOrder[i])
		usual, err2 := unset.usage(scanOrder[i])
		if err1 != nil || err2 != nil || set != usual || set != b[i] {
			t.Errorf("%q: %#x, %v, %#x, %v", scanOrder[i], set, err1, usual, err2)
		}
	}
	b[0] = 0x0e
	moved, err := ParseScanMap(b)
	if err != nil {
		t.Fatal(err)
	}
	k := New(Config{Short: Slot{Types: Static("cbC")}, Scan: moved})
	_, strokes, err := k.Touch(false)
	if got, want := usages(t, strokes), "0e 05 +06 28"; err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	if _, err := ParseScanMap(b[:44]); err == nil {
		t.Error("a map of 44")
	}
}

// TestOutput: what a slot types beside the text, and when.
func TestOutput(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		output Output
		want   string
		takes  time.Duration
	}{
		"usual":     {Output{}, "16 1e 27 28", 80 * ms},
		"no enter":  {Output{NoReturn: true}, "16 1e 27", 60 * ms},
		"tabs":      {Output{TabFirst: true, TabID: true, TabCode: true}, "2b 16 2b 1e 27 2b 28", 140 * ms},
		"delays":    {Output{DelayID: true, DelayEnd: true}, "16 1e 27 28", 1080 * ms},
		"keypad":    {Output{Keypad: true}, "16 59 62 58", 80 * ms},
		"slow":      {Output{Pace: 60 * ms}, "16 1e 27 28", 320 * ms},
		"after all": {Output{DelayEnd: true, NoReturn: true}, "16 1e 27", 560 * ms},
	} {
		strokes, err := c.output.strokes(ScanMap{}, "s", "10")
		if got := usages(t, strokes); err != nil || got != c.want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, c.want)
		}
		var takes time.Duration
		for _, s := range strokes {
			takes += s.Wait
		}
		if takes != c.takes {
			t.Errorf("%s: takes %v, want %v", name, takes, c.takes)
		}
	}
}

// TestStrokes: the US layout (HID usage tables, 10).
func TestStrokes(t *testing.T) {
	strokes, err := Strokes("aZ10!? -=_+[]{}\\|;:'\"`~,<.>/\t\r")
	want := "04 +1d 1e 27 +1e +38 2c 2d 2e +2d +2e 2f 30 +2f +30 31 +31 33 +33 34 +34 35 +35 36 +36 37 +37 38 2b 28"
	if got := usages(t, strokes); err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	for _, text := range []string{"ä", "\n", "\x00", "\x1b"} {
		if _, err := Strokes(text); err == nil {
			t.Errorf("%q is typed", text)
		}
	}
}

// TestNothing: a slot that is empty or answers challenges types nothing.
func TestNothing(t *testing.T) {
	k := New(Config{Long: Slot{Answers: HMAC{}}})
	for _, long := range []bool{false, true} {
		if text, strokes, err := k.Touch(long); text != "" || strokes != nil || err != nil {
			t.Errorf("%q %v %v", text, strokes, err)
		}
	}
}
