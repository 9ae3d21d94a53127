package libusb

import (
	"slices"

	"github.com/factord/factord/usb/hid"
)

// bootSize is the report of a boot keyboard: modifiers, a byte of nothing, and the
// usages of up to six keys that are down. HID 1.11 appendix B.1.
const bootSize = 8

// lastError: usages up to it are no keys. 1 in each place is that more are down than
// can be told.
const lastError = 3

// bootDecoder makes presses of reports.
type bootDecoder struct {
	down []byte // usages
}

// next takes a report. It returns !ok if that is none: then presses may be missing.
func (d *bootDecoder) next(report []byte) (presses []hid.Press, ok bool) {
	if len(report) != bootSize {
		d.down = nil
		return nil, false
	}
	var down []byte
	for _, usage := range report[2:] {
		switch {
		case usage == 0:
		case usage <= lastError:
			return nil, true // what is down stays as it was
		case slices.Contains(down, usage):
		default:
			down = append(down, usage)
			if !slices.Contains(d.down, usage) {
				presses = append(presses, hid.NewPress(usage, report[0]))
			}
		}
	}
	d.down = down
	return presses, true
}
