package card

import (
	"context"
	"encoding/binary"
)

// The instructions of SP 800-73-4, and after them Yubico's ("Yubico extensions" of their
// documentation of PIV).
const (
	insVerify       = 0x20
	insChange       = 0x24
	insResetRetry   = 0x2c
	insGenerate     = 0x47
	insAuthenticate = 0x87
	insGetData      = 0xcb
	insPutData      = 0xdb

	insMetadata      = 0xf7
	insSerial        = 0xf8
	insAttest        = 0xf9
	insSetRetries    = 0xfa
	insReset         = 0xfb
	insVersion       = 0xfd
	insImport        = 0xfe
	insSetManagement = 0xff
)

// memory is what a card keeps without power.
type memory struct {
	pin, puk   code
	management managementKey
	keys       map[byte]key      // by slot
	objects    map[string][]byte // by name
}

// factoryMemory has the PIN, PUK and management key that are printed in the manual.
func factoryMemory(v Version) memory {
	return memory{pin: newCode("123456", defaultTries), puk: newCode("12345678", defaultTries),
		management: factoryManagementKey(v), keys: map[byte]key{}, objects: map[string][]byte{}}
}

// piv takes a command to the PIV applet.
func (c *Card) piv(ctx context.Context, cmd command) ([]byte, status) {
	v := c.config.Version
	switch cmd.ins {
	case insVerify:
		return nil, c.verify(cmd)
	case insChange:
		return nil, c.change(cmd)
	case insResetRetry:
		return nil, c.resetRetry(cmd)
	case insSetRetries:
		return nil, c.setRetries(cmd)
	case insReset:
		return nil, c.reset()
	case insAuthenticate:
		return c.authenticate(ctx, cmd)
	case insSetManagement:
		return nil, c.setManagementKey(cmd)
	case insGenerate:
		return c.generate(cmd)
	case insImport:
		return nil, c.importKey(cmd)
	case insGetData:
		return c.getData(cmd)
	case insPutData:
		return nil, c.putData(cmd)
	case insVersion:
		return v[:], success
	}
	switch {
	case cmd.ins == insAttest && v.AtLeast(4, 3):
		return c.attest(cmd)
	case cmd.ins == insMetadata && v.AtLeast(5, 3):
		return c.metadata(cmd)
	case cmd.ins == insSerial && v.AtLeast(5, 0):
		return binary.BigEndian.AppendUint32(nil, c.config.Serial), success
	}
	return nil, wrongInstruction
}

// reset makes the PIV applet new, but for the attestation key and its certificate. It
// wants PIN and PUK blocked.
func (c *Card) reset() status {
	if c.memory.pin.left > 0 || c.memory.puk.left > 0 {
		return conditions
	}
	old := c.memory
	c.memory = factoryMemory(c.config.Version)
	c.memory.keys[slotAttestation] = old.keys[slotAttestation]
	if der, there := old.objects[objectAttestation]; there {
		c.memory.objects[objectAttestation] = der
	}
	c.session = session{applet: appletPIV}
	return success
}
