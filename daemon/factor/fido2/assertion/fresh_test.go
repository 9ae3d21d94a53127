package assertion_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/factord/factord/daemon/factor/fido2/assertion"
)

var aaguid = [16]byte{1, 2, 3}

func attestedData(id []byte, key assertion.PublicKey) []byte {
	b := binary.BigEndian.AppendUint16(bytes.Clone(aaguid[:]), uint16(len(id)))
	return slices.Concat(b, id, key.COSE())
}

func TestParseFresh(t *testing.T) {
	for _, s := range signers(t) {
		id := []byte("the credential's id")
		good := attestedData(id, s.public)
		for _, test := range []struct {
			name string
			data []byte
			ok   bool
		}{
			{"plain", authData(rpID, 0x41, 3, good...), true},
			{"extensions", authData(rpID, 0xc1, 3, append(bytes.Clone(good), 0xa1, 0x61, 'x', 2)...), true},
			{"no credential", authData(rpID, 0x01, 3), false},
			{"no touch", authData(rpID, 0x40, 3, good...), false},
			{"another relying party", authData("x", 0x41, 3, good...), false},
			{"trailing byte", authData(rpID, 0x41, 3, append(bytes.Clone(good), 0)...), false},
			{"cut off", authData(rpID, 0x41, 3, good[:len(good)-1]...), false},
			{"cut off in the id", authData(rpID, 0x41, 3, good[:20]...), false},
			{"cut off before the id", authData(rpID, 0x41, 3, good[:17]...), false},
			{"empty id", authData(rpID, 0x41, 3, attestedData(nil, s.public)...), false},
			{"long id", authData(rpID, 0x41, 3, attestedData(make([]byte, assertion.MaxCredentialID+1), s.public)...), false},
		} {
			fresh, err := assertion.ParseFresh(rpID, test.data)
			if (err == nil) != test.ok {
				t.Errorf("%s, %s: %v", s.public.Algorithm(), test.name, err)
			}
			if err == nil && (!bytes.Equal(fresh.ID, id) || !fresh.Key.Equal(s.public) || fresh.AAGUID != aaguid || fresh.Counter != 3) {
				t.Errorf("%s, %s: %+v", s.public.Algorithm(), test.name, fresh)
			}
		}
	}
}

func FuzzParseFresh(f *testing.F) {
	for _, s := range signers(f) {
		f.Add(authData(rpID, 0x41, 3, attestedData([]byte("id"), s.public)...))
		f.Add(authData(rpID, 0xc5, 3, append(attestedData([]byte("id"), s.public), 0xa0)...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fresh, err := assertion.ParseFresh(rpID, b)
		if err != nil {
			return
		}
		if len(fresh.ID) == 0 || fresh.Key.Algorithm() == 0 || fresh.Flags&assertion.FlagPresent == 0 {
			t.Errorf("%+v", fresh)
		}
	})
}

func TestParsePublicKey(t *testing.T) {
	c, _, _, _ := vector(t)
	good := c.Key.COSE()
	x, y := good[10:42], good[45:77]
	for _, test := range []struct {
		name string
		cose []byte
		ok   bool
	}{
		{"good", good, true},
		{"trailing byte", append(bytes.Clone(good), 0), false},
		{"point off the curve", bytes.Replace(good, x, y, 1), false},
		{"unknown parameter", slices.Concat([]byte{0xa6}, good[1:], []byte{0x23, 0x01}), false},
		{"doubled parameter", slices.Concat([]byte{0xa6}, good[1:], []byte{0x01, 0x02}), false},
		{"indefinite length", slices.Concat([]byte{0xbf}, good[1:], []byte{0xff}), false},
		{"ES256 that calls itself EdDSA", bytes.Replace(good, []byte{0x03, 0x26}, []byte{0x03, 0x27}, 1), false},
		{"another curve", bytes.Replace(good, []byte{0x20, 0x01}, []byte{0x20, 0x02}, 1), false},
		{"empty map", []byte{0xa0}, false},
		{"empty", nil, false},
		{"deep", bytes.Repeat([]byte{0x81}, 1000), false},
	} {
		key, err := assertion.ParsePublicKey(test.cose)
		if (err == nil) != test.ok || err == nil && !key.Equal(c.Key) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if (assertion.PublicKey{}).COSE() != nil || (assertion.PublicKey{}).Equal(assertion.PublicKey{}) {
		t.Error("the zero value is a key")
	}
}

func FuzzParsePublicKey(f *testing.F) {
	for _, s := range signers(f) {
		f.Add(s.public.COSE())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := assertion.ParsePublicKey(b)
		if err != nil {
			return
		}
		again, err := assertion.ParsePublicKey(key.COSE())
		if err != nil || !again.Equal(key) {
			t.Errorf("%x is written as %x: %v", b, key.COSE(), err)
		}
	})
}
