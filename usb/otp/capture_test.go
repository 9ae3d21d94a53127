package otp

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/factord/factord/usb/hid"
)

// tape is a keyboard on which things are typed at their time.
type tape struct {
	keys  []key
	began time.Time
}

// key is a press, or an error, some time after the one before.
type key struct {
	after time.Duration
	press hid.Press
	err   error
}

func (k *tape) Read(ctx context.Context) (hid.Press, error) {
	if len(k.keys) == 0 {
		<-ctx.Done()
		return hid.Press{}, ctx.Err()
	}
	if k.began.IsZero() {
		k.began = time.Now()
	}
	next := k.keys[0]
	if err := pause(ctx, time.Until(k.began.Add(next.after))); err != nil {
		return hid.Press{}, err
	}
	k.keys, k.began = k.keys[1:], k.began.Add(next.after)
	return next.press, next.err
}

func (k *tape) Close() error { return nil }

// typed are the presses for a text on a US keyboard: \r is Enter, K that of the keypad,
// ~ loses reports. A digit in front of | is typed on the keypad, . waits a tenth of a
// second and _ one.
func typed(text string, pace time.Duration) []key {
	var keys []key
	var wait time.Duration
	for i := 0; i < len(text); i++ {
		k := key{after: pace + wait}
		wait = 0
		switch c := text[i]; {
		case c == '.':
			wait = k.after - pace + 100*time.Millisecond
			continue
		case c == '_':
			wait = k.after - pace + time.Second
			continue
		case c == '~':
			k.err = hid.ErrLost
		case c == 'a':
			k.press.Usage = 4
		case c == '^':
			k.press = hid.Press{Usage: 6, Other: true}
		case c == '\n':
			k.press.Usage = usageKeypadEnter
		case i+1 < len(text) && text[i+1] == '|':
			k.press.Usage = usageKeypad1 + c - '1'
			if c == '0' {
				k.press.Usage = usageKeypad0
			}
			i++
		default:
			p := strings.IndexByte(scanMapOrder, c)
			k.press = hid.Press{Usage: defaultScanMap[p] &^ bitShift, Shift: defaultScanMap[p]&bitShift != 0}
		}
		keys = append(keys, k)
	}
	return keys
}

const otpText = "dteffujehknhfjbrjnlnldnhcujvddbikngjrtgh"

func TestCapture(t *testing.T) {
	for name, c := range map[string]struct {
		typed  string
		length int
		pace   time.Duration
		want   string
		took   time.Duration // after the last press of what is wanted
	}{
		"with Enter":               {otpText + "\r", 0, 10, otpText, 0},
		"with the keypad's Enter":  {otpText + "\n", 0, 10, otpText, 0},
		"by its length":            {otpText, 40, 10, otpText, idleAtLength},
		"by idling":                {otpText, 0, 10, otpText, idleLimit},
		"of another length":        {otpText, 44, 10, otpText, idleLimit},
		"in upper case":            {strings.ToUpper(otpText) + "\r", 0, 10, otpText, 0},
		"with tabs":                {"\t" + otpText[:8] + "\t" + otpText[8:] + "\t\r", 40, 10, otpText, 0},
		"slowly and with delays":   {otpText[:8] + "....." + otpText[8:] + ".....\r", 0, 80, otpText, 0},
		"with a delay, by length":  {otpText[:8] + "....." + otpText[8:], 40, 80, otpText, idleAtLength},
		"HOTP":                     {"755224\r", 0, 10, "755224", 0},
		"HOTP with a token id":     {"ubhe00123456755224\r", 18, 10, "ubhe00123456755224", 0},
		"HOTP on the keypad":       {"1|2|3|4|5|6|7|8|9|0|\n", 0, 10, "1234567890", 0},
		"after an Enter":           {"\r\r" + otpText + "\r", 0, 10, otpText, 0},
		"after too short a text":   {"cc\rccc_." + otpText + "\r", 0, 10, otpText, 0},
		"after a letter of none":   {"cca" + otpText[:5] + "...." + otpText + "\r", 0, 10, otpText, 0},
		"after noise with Enter":   {"ccadd\r" + otpText + "\r", 0, 10, otpText, 0},
		"after a control key":      {"cccccc^cccccccc\r" + otpText + "\r", 0, 10, otpText, 0},
		"after a strong password":  {"!cccccccc\r" + otpText + "\r", 0, 10, otpText, 0},
		"after some were lost":     {otpText[:20] + "~" + otpText[21:] + "\r" + otpText + "\r", 0, 10, otpText, 0},
		"after one that is long":   {strings.Repeat("c", 81) + "\r" + otpText + "\r", 0, 10, otpText, 0},
		"as long as may be":        {strings.Repeat("c", 80) + "\r", 0, 10, strings.Repeat("c", 80), 0},
		"after one that is slow":   {strings.Repeat("c.........", 13) + "\r" + otpText + "\r", 0, 10, otpText, 0},
		"the first of two":         {otpText + "\r" + "cccccccc\r", 0, 10, otpText, 0},
		"after a cat on the key":   {strings.Repeat("a", 500) + "...." + otpText + "\r", 0, 10, otpText, 0},
		"length 6 but a whole OTP": {otpText + "\r", 6, 10, otpText, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &tape{keys: typed(c.typed, c.pace*time.Millisecond)}
				got, err := Capture(t.Context(), k, Expected{Length: c.length})
				if err != nil || string(got.Text) != c.want {
					t.Fatalf("%q, %v", got.Text, err)
				}
				if got.Unfinished != (c.took != 0) {
					t.Errorf("unfinished: %v", got.Unfinished)
				}
				want := c.took
				if want > 0 {
					want += grace
				}
				if took := time.Since(k.began); took != want {
					t.Errorf("%v after the last key", took)
				}
			})
		})
	}
}

func TestDrainSwallowsTheEnter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &tape{keys: typed(otpText+".....\rcc", 10*time.Millisecond)}
		got, err := Capture(t.Context(), k, Expected{Length: len(otpText)})
		if err != nil || !got.Unfinished {
			t.Fatal(got, err)
		}
		got.Drain(t.Context(), k)
		if len(k.keys) != 2 {
			t.Errorf("%d keys are left", len(k.keys))
		}
		k.keys = nil
		began := time.Now()
		got.Drain(t.Context(), k)
		if took := time.Since(began); took != idleAtEnd+grace {
			t.Errorf("a drain of nothing takes %v", took)
		}
		Typed{}.Drain(t.Context(), k)
		if took := time.Since(began); took != idleAtEnd+grace {
			t.Error("a finished text is drained")
		}
	})
}

// busyTape has had no time to read what was typed: the first reads find their time over.
type busyTape struct {
	tape
	reads int
}

func (k *busyTape) Read(ctx context.Context) (hid.Press, error) {
	if k.reads++; k.reads == 5 {
		<-ctx.Done()
		return hid.Press{}, ctx.Err()
	}
	return k.tape.Read(ctx)
}

func TestABusyMachineDoesNotCutATextOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &busyTape{tape: tape{keys: typed(otpText+"\r", 0)}}
		got, err := Capture(t.Context(), k, Expected{})
		if err != nil || string(got.Text) != otpText {
			t.Errorf("%q, %v", got.Text, err)
		}
	})
}

func TestACaptureEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, text := range []string{"", "cccccc", "a", "cc_"} {
			ctx, cancel := context.WithTimeout(t.Context(), 70*time.Millisecond)
			defer cancel()
			k := &tape{keys: typed(text+strings.Repeat("d", 30), 10*time.Millisecond)}
			if text == "" {
				k.keys = nil
			}
			began := time.Now()
			got, err := Capture(ctx, k, Expected{})
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 70*time.Millisecond || got.Text != nil {
				t.Errorf("%q: %q, %v after %v", text, got.Text, err, time.Since(began))
			}
			if got.Unfinished != (text != "") {
				t.Errorf("%q: unfinished: %v", text, got.Unfinished)
			}
		}
		k := &tape{keys: append(typed("cccccc", 1), key{err: hid.ErrGone})}
		if _, err := Capture(t.Context(), k, Expected{}); !errors.Is(err, hid.ErrGone) {
			t.Error(err)
		}
	})
}

func TestScanMaps(t *testing.T) {
	if m, err := ParseScanMap([]byte(defaultScanMap)); err != nil || len(m.meant) != 45+11 {
		t.Error(len(m.meant), err)
	}
	// Positions on which a Dvorak desktop shows modhex.
	dvorak := []byte(defaultScanMap)
	copy(dvorak, "\x0c\x11\x0b\x07\x1c\x18\x0d\x0a\x06\x19\x13\x0f\x12\x0e\x09\x37")
	for i := range 16 {
		dvorak[16+i] = dvorak[i] | bitShift
	}
	m, err := ParseScanMap(dvorak)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		k := &tape{}
		for _, c := range []byte("cbdEfghijklnrtuv0\r") {
			p := dvorak[strings.IndexByte(scanMapOrder, c)]
			k.keys = append(k.keys, key{press: hid.Press{Usage: p &^ bitShift, Shift: p&bitShift != 0}})
		}
		got, err := Capture(t.Context(), k, Expected{ScanMap: m})
		if err != nil || string(got.Text) != "cbdefghijklnrtuv0" {
			t.Errorf("%q, %v", got.Text, err)
		}
	})
	ambiguous := []byte(defaultScanMap)
	ambiguous[0] = ambiguous[1]
	for name, bad := range map[string][]byte{
		"short": []byte(defaultScanMap)[1:], "long": []byte(defaultScanMap + "x"), "ambiguous": ambiguous, "empty": make([]byte, ScanMapSize), "none": nil,
	} {
		if _, err := ParseScanMap(bad); err == nil {
			t.Errorf("a scan map that is %s is taken", name)
		}
	}
}

func FuzzCapture(f *testing.F) {
	f.Add([]byte{6, 0, 10, 5, 0, 10, 0x28, 0, 0}, uint8(44))
	f.Add([]byte{4, 1, 200, 6, 2, 255, 0x58, 4, 0}, uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, length uint8) {
		synctest.Test(t, func(t *testing.T) {
			k := &tape{}
			for ; len(data) >= 3; data = data[3:] {
				press := key{after: time.Duration(data[2]) * 10 * time.Millisecond}
				press.press = hid.Press{Usage: data[0], Shift: data[1]&1 != 0, Other: data[1]&2 != 0}
				if data[1]&4 != 0 {
					press.err = hid.ErrLost
				}
				k.keys = append(k.keys, press)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			got, err := Capture(ctx, k, Expected{Length: int(length)})
			if err == nil && (len(got.Text) < textLeast || len(got.Text) > textLimit) {
				t.Errorf("%q", got.Text)
			}
			if strings.Trim(string(got.Text), "cbdefghijklnrtuv0123456789") != "" {
				t.Errorf("%q", got.Text)
			}
			got.Drain(ctx, k)
		})
	})
}

func FuzzScanMap(f *testing.F) {
	f.Add([]byte(defaultScanMap))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseScanMap(data)
		if err == nil {
			m.read(hid.Press{Usage: data[0]})
		}
	})
}
