package libusb

import (
	"slices"
	"testing"

	"github.com/factord/factord/usb/hid"
)

func TestBootReportsArePresses(t *testing.T) {
	press := func(usages ...byte) (presses []hid.Press) {
		for _, u := range usages {
			presses = append(presses, hid.Press{Usage: u})
		}
		return presses
	}
	for name, c := range map[string]struct {
		reports [][]byte
		want    []hid.Press
	}{
		"a letter":           {[][]byte{{0, 0, 6, 0, 0, 0, 0, 0}, {7: 0}}, press(6)},
		"held":               {[][]byte{{0, 0, 6, 0, 0, 0, 0, 0}, {0, 0, 6, 0, 0, 0, 0, 0}}, press(6)},
		"twice":              {[][]byte{{0, 0, 6, 0, 0, 0, 0, 0}, {7: 0}, {0, 0, 6, 0, 0, 0, 0, 0}}, press(6, 6)},
		"one over the other": {[][]byte{{0, 0, 6, 0, 0, 0, 0, 0}, {0, 0, 6, 7, 0, 0, 0, 0}, {0, 0, 7, 0, 0, 0, 0, 0}}, press(6, 7)},
		"in another place":   {[][]byte{{0, 0, 6, 7, 0, 0, 0, 0}, {0, 0, 7, 6, 0, 0, 0, 0}}, press(6, 7)},
		"twice in one":       {[][]byte{{0, 0, 6, 6, 0, 0, 0, 0}}, press(6)},
		"rolled over":        {[][]byte{{0, 0, 6, 0, 0, 0, 0, 0}, {0, 0, 1, 1, 1, 1, 1, 1}, {0, 0, 6, 0, 0, 0, 0, 0}}, press(6)},
		"not at the front":   {[][]byte{{0, 0, 0, 0, 0, 0, 0, 6}}, press(6)},
		"with shift":         {[][]byte{{2, 0, 6, 0, 0, 0, 0, 0}, {0x20, 0, 7, 0, 0, 0, 0, 0}}, []hid.Press{{Usage: 6, Shift: true}, {Usage: 7, Shift: true}}},
		"with control":       {[][]byte{{1, 0, 6, 0, 0, 0, 0, 0}}, []hid.Press{{Usage: 6, Other: true}}},
	} {
		var d bootDecoder
		var got []hid.Press
		for _, r := range c.reports {
			p, ok := d.next(r)
			if !ok {
				t.Errorf("%s: %x is refused", name, r)
			}
			got = append(got, p...)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	var d bootDecoder
	for _, size := range []int{0, 1, 7, 9} {
		if _, ok := d.next(make([]byte, size)); ok {
			t.Errorf("a report of %d bytes is taken", size)
		}
	}
}

func FuzzBoot(f *testing.F) {
	f.Add([]byte{0, 0, 6, 0, 0, 0, 0, 0, 2, 0, 1, 1, 1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var d bootDecoder
		for ; len(b) >= bootSize; b = b[bootSize:] {
			if presses, ok := d.next(b[:bootSize]); !ok || len(presses) > 6 {
				t.Error(presses, ok)
			}
		}
		d.next(b)
	})
}
