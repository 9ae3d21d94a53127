package card

import "bytes"

const (
	tagObject     = 0x53
	tagObjectName = 0x5c

	// objectLimit is the largest object that a YubiKey stores.
	objectLimit = 3063
	// objectsLimit is how many it stores.
	objectsLimit = 64

	// The names of what is not an object like the others.
	objectDiscovery   = "\x7e"
	objectAttestation = "\x5f\xff\x01"
)

// wantsPIN reports whether reading an object needs the PIN (SP 800-73-4 part 1, 3.5):
// printed information, fingerprints, facial and iris images.
func wantsPIN(name string) bool {
	switch name {
	case "\x5f\xc1\x09", "\x5f\xc1\x03", "\x5f\xc1\x08", "\x5f\xc1\x21":
		return true
	}
	return false
}

// certificateObject holds a certificate, not compressed (SP 800-73-4 part 1, appendix A).
func certificateObject(der []byte) []byte {
	const tagCertificate, tagInfo, tagErrorDetection = 0x70, 0x71, 0xfe
	all := append(encode(tagCertificate, der), encode(tagInfo, []byte{0})...)
	return append(all, encode(tagErrorDetection)...)
}

// isObjectCommand reports whether P1 and P2 are those of GET DATA and PUT DATA.
func isObjectCommand(cmd command) bool { return cmd.p1 == 0x3f && cmd.p2 == 0xff }

func (c *Card) getData(cmd command) ([]byte, status) {
	name, parsed := only(tagObjectName, cmd.data)
	switch {
	case !isObjectCommand(cmd):
		return nil, wrongParameters
	case !parsed:
		return nil, wrongData
	case string(name) == objectDiscovery:
		return discovery(), success
	case wantsPIN(string(name)) && !c.session.pinVerified:
		return nil, securityStatus
	}
	object, there := c.memory.objects[string(name)]
	if !there {
		return nil, notFound
	}
	return encode(tagObject, object), success
}

// discovery says that the PIV PIN is the only one (SP 800-73-4 part 1, 3.3.2).
func discovery() []byte {
	const tagPINUsage = 0x5f2f
	return encode(0x7e, encode(0x4f, aids()[appletPIV]), encode(tagPINUsage, []byte{0x40, 0x00}))
}

// putData stores an object; an empty one removes it.
func (c *Card) putData(cmd command) status {
	if !isObjectCommand(cmd) {
		return wrongParameters
	}
	if !c.session.managed {
		return securityStatus
	}
	in, parsed := fields(cmd.data)
	name, object := in[tagObjectName], in[tagObject]
	switch {
	case !parsed || len(in) != 2 || len(name) != 3 || name[0] != 0x5f:
		return wrongData
	case len(object) > objectLimit || len(c.memory.objects) >= objectsLimit:
		return noSpace
	case len(object) == 0:
		delete(c.memory.objects, string(name))
	default:
		c.memory.objects[string(name)] = bytes.Clone(object)
	}
	return success
}
