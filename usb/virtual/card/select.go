package card

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
)

// applet is what the commands go to.
type applet uint8

const (
	noApplet applet = iota
	appletPIV
	appletManagement
	appletOTP
)

// aids are the applets' names; a client may give less than all of one.
func aids() map[applet][]byte {
	return map[applet][]byte{
		appletPIV:        {0xa0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00},
		appletManagement: {0xa0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17},
		appletOTP:        {0xa0, 0x00, 0x00, 0x05, 0x27, 0x20, 0x01, 0x01},
	}
}

// aidLeast is the length of a registered provider's identifier.
const aidLeast = 5

// dispatch takes a command to the applet that is selected.
func (c *Card) dispatch(ctx context.Context, cmd command) ([]byte, status) {
	if cmd.ins == insSelect {
		return c.selectApplet(cmd)
	}
	switch c.session.applet {
	case appletPIV:
		return c.piv(ctx, cmd)
	case appletManagement:
		return c.management(cmd)
	case appletOTP:
		return c.otp(cmd)
	}
	return nil, wrongInstruction
}

// selectApplet leaves nothing of a PIN that was verified: on a key, too, it is lost when
// a client only looks for another applet. A YubiKey 4 loses it when PIV is selected
// again.
func (c *Card) selectApplet(cmd command) ([]byte, status) {
	if cmd.p1 != 0x04 {
		return nil, wrongParameters
	}
	for a, aid := range aids() {
		if len(cmd.data) < aidLeast || !bytes.HasPrefix(aid, cmd.data) {
			continue
		}
		if a != c.session.applet || !c.config.Version.AtLeast(5, 0) {
			c.session = session{applet: a}
		}
		return c.greeting(a), success
	}
	c.session = session{applet: c.session.applet}
	return nil, notFound
}

func (c *Card) greeting(a applet) []byte {
	v := c.config.Version
	switch a {
	case appletPIV:
		// SP 800-73-4 part 2, 3.1.1: the applet's own part of its name, and who
		// gave it.
		return encode(0x61, encode(0x4f, aids()[appletPIV][aidLeast:]),
			encode(0x79, encode(0x4f, aids()[appletPIV][:aidLeast])))
	case appletManagement:
		return fmt.Appendf(nil, "Virtual mgr - FW version %d.%d.%d", v[0], v[1], v[2])
	}
	const configurations, touchLevel = 1, 0
	return append(v[:], configurations, touchLevel, 0)
}

// management answers with the device's description alone.
func (c *Card) management(cmd command) ([]byte, status) {
	const insReadConfig = 0x1d
	if cmd.ins != insReadConfig || !c.config.Version.AtLeast(4, 1) {
		return nil, wrongInstruction
	}
	const (
		supported, serial, enabled, formFactor, version = 0x01, 0x02, 0x03, 0x04, 0x05

		otpU2fPivFido = 0x02 | 0x01 | 0x10 | 0x0200
	)
	usb := binary.BigEndian.AppendUint16(nil, otpU2fPivFido)
	var all []byte
	all = append(all, encode(supported, usb)...)
	all = append(all, encode(serial, binary.BigEndian.AppendUint32(nil, c.config.Serial))...)
	all = append(all, encode(enabled, usb)...)
	all = append(all, encode(formFactor, []byte{FormFactorKeychainA})...)
	all = append(all, encode(version, c.config.Version[:])...)
	return append([]byte{byte(len(all))}, all...), success
}

// otp answers with the serial number alone; before 5.0 PIV has no command for it.
func (c *Card) otp(cmd command) ([]byte, status) {
	const insRequest, requestSerial = 0x01, 0x10
	if cmd.ins != insRequest || cmd.p1 != requestSerial {
		return nil, wrongInstruction
	}
	return binary.BigEndian.AppendUint32(nil, c.config.Serial), success
}
