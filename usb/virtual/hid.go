package virtual

import "github.com/factord/factord/usb/virtual/usbip"

// Requests of the HID class (HID 1.11, 7.2), each with its kind of report in the high
// byte where it has one. Report ids are not used.
const (
	getInputReport   = 0x01_01
	getFeatureReport = 0x03_01
	setOutputReport  = 0x02_09
	setFeatureReport = 0x03_09
	setIdle          = 0x00_0a
	setProtocol      = 0x00_0b
)

// hidRequest is a request with its kind of report.
func hidRequest(s usbip.Setup) uint16 {
	switch s.Request {
	case setIdle, setProtocol:
		return uint16(s.Request)
	}
	return s.Value&0xff00 | uint16(s.Request)
}
