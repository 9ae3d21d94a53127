package hid

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// events are what the kernel makes of a report.
func events(of ...event) []byte {
	var b []byte
	for _, e := range of {
		b = append(b, make([]byte, eventHeader)...)
		b = binary.NativeEndian.AppendUint16(b, e.kind)
		b = binary.NativeEndian.AppendUint16(b, e.code)
		b = binary.NativeEndian.AppendUint32(b, uint32(e.value))
	}
	return b
}

var syn = event{evSyn, synReport, 0}

func scan(usage int32) event { return event{evMsc, mscScan, usagePageKeyboard<<16 | usage} }

func down(code uint16) event { return event{evKey, code, valueDown} }
func up(code uint16) event   { return event{evKey, code, valueUp} }

func TestEventsArePresses(t *testing.T) {
	lost := result{err: ErrLost}
	press := func(usage byte) result { return result{press: Press{Usage: usage}} }
	for name, c := range map[string]struct {
		events []event
		want   []result
	}{
		"a letter":               {[]event{scan(6), down(46), syn, scan(6), up(46), syn}, []result{press(6)}},
		"two of it":              {[]event{scan(6), down(46), syn, scan(6), up(46), syn, scan(6), down(46), syn}, []result{press(6), press(6)}},
		"with shift":             {[]event{scan(0xe1), down(42), scan(6), down(46), syn}, []result{{press: Press{Usage: 6, Shift: true}}}},
		"with the other":         {[]event{scan(0xe5), down(54), scan(6), down(46), syn}, []result{{press: Press{Usage: 6, Shift: true}}}},
		"after shift":            {[]event{scan(0xe1), down(42), syn, scan(0xe1), up(42), scan(6), down(46), syn}, []result{press(6)}},
		"with control":           {[]event{scan(0xe0), down(29), scan(6), down(46), syn}, []result{{press: Press{Usage: 6, Other: true}}}},
		"with both":              {[]event{scan(0xe0), down(29), scan(0xe1), down(42), scan(6), down(46)}, []result{{press: Press{Usage: 6, Shift: true, Other: true}}}},
		"repeated by the kernel": {[]event{scan(6), down(46), syn, {evKey, 46, 2}, {evKey, 46, 2}, syn}, []result{press(6)}},
		"without a scan code":    {[]event{down(46), syn, up(46), syn, down(28), down(96), down(82)}, []result{press(6), press(0x28), press(0x58), press(0x62)}},
		"of a remapped key":      {[]event{scan(6), down(30), syn}, []result{press(6)}},
		"of a remapped shift":    {[]event{scan(0xe1), down(58), scan(6), down(46), syn}, []result{{press: Press{Usage: 6, Shift: true}}}},
		"unknown":                {[]event{down(500), syn}, []result{press(0)}},
		"of another page":        {[]event{{evMsc, mscScan, 0xc00e9}, down(115), syn}, []result{press(0)}},
		"a scan code left over":  {[]event{scan(7), syn, down(46), syn}, []result{press(6)}},
		"lights":                 {[]event{{0x11, 0, 1}, syn, {0x14, 0, 250}}, nil},
		"lost":                   {[]event{scan(6), down(46), syn, {evSyn, synDropped, 0}, scan(7), down(32), syn, scan(8), down(18), syn}, []result{press(6), lost, press(8)}},
		"lost with shift down":   {[]event{scan(0xe1), down(42), syn, {evSyn, synDropped, 0}, syn, scan(8), down(18), syn}, []result{lost, press(8)}},
	} {
		var d eventDecoder
		var got []result
		for _, e := range c.events {
			if r, ok := d.next(e); ok {
				got = append(got, r)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %v", name, got)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
}

func TestKeyboard(t *testing.T) {
	tr := newTree(t)
	keyboard, _, _ := tr.yubikey("1-1")
	k, err := tr.hidraw().Keyboard(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	if !tr.kernel.grabbed {
		t.Error("it is not grabbed")
	}
	typing(t, keyboard, scan(6), down(46), syn, scan(6), up(46), syn, scan(5), down(48), syn)
	for _, want := range []byte{6, 5} {
		if p, err := k.Read(t.Context()); err != nil || p != (Press{Usage: want}) {
			t.Errorf("%+v, %v", p, err)
		}
	}
	if _, err := k.Read(timeout(t, 20*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if _, err := tr.hidraw().Keyboard(t.Context(), "1-1"); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	typing(t, keyboard, event{evSyn, synDropped, 0}, syn)
	if _, err := k.Read(t.Context()); !errors.Is(err, ErrLost) {
		t.Error(err)
	}
	if _, err := keyboard.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Read(t.Context()); !errors.Is(err, ErrLost) {
		t.Error(err)
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	// The kernel gives back what nobody has open any more.
	if n, err := keyboard.Read(make([]byte, 1)); !errors.Is(err, unix.EIO) {
		t.Error("the device file is open still", n, err)
	}
}

func typing(t *testing.T, keyboard *os.File, of ...event) {
	t.Helper()
	if _, err := keyboard.Write(events(of...)); err != nil {
		t.Fatal(err)
	}
}

// The release of a key that is down would never reach the console.
func TestNothingIsTakenOrGivenBackWhileAKeyIsDown(t *testing.T) {
	tr := newTree(t)
	tr.yubikey("1-1")
	tr.kernel.keys = []bool{true, true, false, true /* just after the grab */, true, false, false}
	k, err := tr.hidraw().Keyboard(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	if tr.kernel.grabs != 2 || !tr.kernel.grabbed {
		t.Errorf("grabbed %d times", tr.kernel.grabs)
	}
	tr.kernel.keys = []bool{true, true, false}
	if err := k.Close(); err != nil || len(tr.kernel.keys) != 1 {
		t.Error(err, tr.kernel)
	}

	tr.kernel.keys, tr.kernel.grabbed = []bool{true}, false
	if _, err := tr.hidraw().Keyboard(timeout(t, 50*time.Millisecond), "1-1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if tr.kernel.grabbed {
		t.Error("it is grabbed though a key is down")
	}
}

func TestAKeyboardOfAnotherDevice(t *testing.T) {
	tr := newTree(t)
	tr.yubikey("1-1")
	for _, id := range []inputID{{}, {Bus: 5, Vendor: 0x1050, Product: 0x0407}, {Bus: busUSB, Vendor: 0x046d, Product: 0x0407}, {Bus: busUSB, Vendor: 0x1050, Product: 0x0402}} {
		tr.kernel.id0 = id
		if _, err := tr.hidraw().Keyboard(t.Context(), "1-1"); !errors.Is(err, ErrGone) || tr.kernel.grabs > 0 {
			t.Errorf("%+v: %v", id, err)
		}
	}
	tr.kernel.err = unix.EACCES
	if _, err := tr.hidraw().Keyboard(t.Context(), "1-1"); !errors.Is(err, ErrAccess) {
		t.Error(err)
	}
}

func FuzzEvents(f *testing.F) {
	f.Add(events(scan(6), down(46), syn, event{evSyn, synDropped, 0}, syn))
	f.Add(events(scan(0xe1), down(42), down(46), up(46)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d eventDecoder
		for ; len(b) >= eventSize; b = b[eventSize:] {
			d.next(parseEvent(b))
		}
	})
}
