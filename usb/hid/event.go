package hid

// Types, codes and values of events: linux/input-event-codes.h.
const (
	evSyn, evKey, evMsc = 0, 1, 4

	synReport, synDropped = 0, 3

	mscScan = 4

	valueUp, valueDown = 0, 1 // 2 is the kernel's repeating
)

const (
	// usagePageKeyboard is the upper half of what MSC_SCAN says.
	usagePageKeyboard = 0x07
	// The eight modifiers, those of the left hand first: HID Usage Tables section 10.
	usageFirstModifier, usageLastModifier = 0xe0, 0xe7

	// modifierShift are the bits of both shift keys.
	modifierShift = 1<<1 | 1<<5
)

// usages are the positions of the key codes that OTPs are typed with, for a device
// that doesn't say what it has scanned.
var usages = map[uint16]byte{
	// c b d e f g h i j k l n r t u v
	46: 0x06, 48: 0x05, 32: 0x07, 18: 0x08, 33: 0x09, 34: 0x0a, 35: 0x0b, 23: 0x0c,
	36: 0x0d, 37: 0x0e, 38: 0x0f, 49: 0x11, 19: 0x15, 20: 0x17, 22: 0x18, 47: 0x19,
	// 1 to 9, 0
	2: 0x1e, 3: 0x1f, 4: 0x20, 5: 0x21, 6: 0x22, 7: 0x23, 8: 0x24, 9: 0x25, 10: 0x26, 11: 0x27,
	// the same of the keypad
	79: 0x59, 80: 0x5a, 81: 0x5b, 75: 0x5c, 76: 0x5d, 77: 0x5e, 71: 0x5f, 72: 0x60, 73: 0x61, 82: 0x62,
	// Enter, that of the keypad, Tab
	28: 0x28, 96: 0x58, 15: 0x2b,
	// Control, Shift, Alt, Meta
	29: 0xe0, 42: 0xe1, 56: 0xe2, 125: 0xe3, 97: 0xe4, 54: 0xe5, 100: 0xe6, 126: 0xe7,
}

// eventDecoder makes presses of events.
type eventDecoder struct {
	modifiers byte  // those that are down
	scan      int32 // of the key event that follows; 0 if none was seen
	dropped   bool  // until the next report, all that comes is in part
}

// next takes an event. It returns ok if that makes a result.
func (d *eventDecoder) next(e event) (r result, ok bool) {
	switch {
	case e.kind == evSyn && e.code == synDropped:
		*d = eventDecoder{dropped: true}
		return result{err: ErrLost}, true
	case e.kind == evSyn && e.code == synReport:
		d.dropped, d.scan = false, 0
	case d.dropped:
	case e.kind == evMsc && e.code == mscScan:
		d.scan = e.value
	case e.kind == evKey:
		usage := d.usage(e.code)
		d.scan = 0
		return d.key(usage, e.value)
	}
	return result{}, false
}

func (d *eventDecoder) key(usage byte, value int32) (r result, ok bool) {
	if usage >= usageFirstModifier && usage <= usageLastModifier {
		bit := byte(1) << (usage - usageFirstModifier)
		switch value {
		case valueDown:
			d.modifiers |= bit
		case valueUp:
			d.modifiers &^= bit
		}
		return result{}, false
	}
	if value != valueDown {
		return result{}, false
	}
	return result{press: NewPress(usage, d.modifiers)}, true
}

// usage is the position of a key: what was scanned, as a table of the machine may have
// given the key another code. It is 0, which no key has, for one that is not known.
func (d *eventDecoder) usage(code uint16) byte {
	if d.scan == 0 {
		return usages[code]
	}
	if d.scan>>16 != usagePageKeyboard || d.scan&0xff00 != 0 {
		return 0
	}
	return byte(d.scan)
}

// NewPress is the press of a key while modifiers are down, whose bits are those of the
// first byte of a boot keyboard's report: HID 1.11 section 8.3.
func NewPress(usage, modifiers byte) Press {
	return Press{Usage: usage, Shift: modifiers&modifierShift != 0, Other: modifiers&^modifierShift != 0}
}
