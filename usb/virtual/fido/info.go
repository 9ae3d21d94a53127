package fido

// Limits that getInfo tells.
const (
	maxList         = 8 // credentials in a list
	maxCredentialID = 128
	firmware        = 0x050403
)

// info is the answer to getInfo (6.4).
func (t *transaction) info() any {
	versions := []string{"FIDO_2_0"}
	if !t.Old {
		versions = append(versions, "FIDO_2_1")
	}
	if !t.NoU2F && !t.AlwaysUV {
		versions = append([]string{"U2F_V2"}, versions...)
	}
	options := map[string]bool{"rk": true, "up": true, "plat": false, "clientPin": t.key.pinHash != nil}
	if t.Verify != nil {
		options["uv"] = true
	}
	if !t.Old {
		options["pinUvAuthToken"] = true
		options["alwaysUv"] = t.AlwaysUV
		options["makeCredUvNotRqd"] = !t.AlwaysUV
	}
	return map[int]any{
		1: versions, 2: []string{"credProtect"}, 3: AAGUID[:], 4: options, 5: t.maxMsgSize(), 6: t.protocols(),
		7: maxList, 8: maxCredentialID, 9: []string{"usb"},
		10:  t.algorithms(),
		0xd: 4, 0xe: firmware,
	}
}

func (t *transaction) protocols() []uint {
	if t.Protocols == nil {
		return []uint{2, 1}
	}
	return t.Protocols
}

func (t *transaction) algorithms() []parameter {
	if t.NoES256 {
		return []parameter{{algEdDSA, publicKey}}
	}
	return []parameter{{algES256, publicKey}, {algEdDSA, publicKey}}
}
