package hid

// The FIDO usage: CTAP 2.1 section 11.2.8.1.
const (
	usagePageFIDO = 0xf1d0
	usageFIDO     = 0x01
)

// Items of a report descriptor, without their size bits: HID 1.11 section 6.2.2.
const (
	itemLong       = 0xfe
	itemUsagePage  = 0x04
	itemUsage      = 0x08
	itemCollection = 0xa0
)

// isFIDO says whether a report descriptor's first collection is a FIDO authenticator.
func isFIDO(descriptor []byte) bool {
	var page, usage uint32
	for len(descriptor) > 0 {
		prefix := descriptor[0]
		if prefix == itemLong {
			return false // reserved: no device has one
		}
		size := int(prefix & 3)
		if size == 3 {
			size = 4
		}
		if len(descriptor) < 1+size {
			return false
		}
		var value uint32
		for i, b := range descriptor[1 : 1+size] {
			value |= uint32(b) << (8 * i)
		}
		switch prefix &^ 3 {
		case itemUsagePage:
			page = value
		case itemUsage:
			usage = value
		case itemCollection:
			return page == usagePageFIDO && usage == usageFIDO
		}
		descriptor = descriptor[1+size:]
	}
	return false
}
