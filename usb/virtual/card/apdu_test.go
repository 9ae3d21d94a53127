package card

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"testing"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		apdu, data string
		expected   int
		parsed     bool
	}{
		{"00fd0000", "", 256, true},
		{"00fd000000", "", 256, true},
		{"00fd000003", "", 3, true},
		{"00a4040002a000", "a000", 256, true},
		{"00a4040002a00010", "a000", 16, true},
		{"00fd0000000000", "", 65536, true},
		{"00fd0000000100", "", 256, true},
		{"00db3fff000002a000", "a000", 65536, true},
		{"00db3fff000002a0000200", "a000", 512, true},
		{"", "", 0, false},
		{"00fd00", "", 0, false},
		{"00a4040002a0", "", 0, false},
		{"00a4040002a0001000", "", 0, false},
		{"00fd00000000", "", 0, false},
		{"00db3fff000002a0", "", 0, false},
		{"00db3fff000002a00002", "", 0, false},
		{"00db3fff0000000200", "", 0, false},
	} {
		cmd, parsed := parse(unhex(t, c.apdu))
		if parsed != c.parsed || parsed && (!bytes.Equal(cmd.data, unhex(t, c.data)) || cmd.expected != c.expected) {
			t.Errorf("%s: data %x, Ne %d, %v", c.apdu, cmd.data, cmd.expected, parsed)
		}
	}
}

// powered is a card with PIV selected.
func powered(t testing.TB, config Config) *Card {
	t.Helper()
	c := New(config)
	c.PowerOn()
	c.Transmit(unhex(t, "00a4040005a000000308"))
	return c
}

func transmit(t *testing.T, c *Card, apdu []byte, sw status) []byte {
	t.Helper()
	out := c.Transmit(apdu)
	data, tail := out[:len(out)-2], out[len(out)-2:]
	if got := status(binary.BigEndian.Uint16(tail)); got != sw {
		t.Fatalf("%x: status %04x, want %04x", apdu, got, sw)
	}
	return data
}

// What does not fit into one short APDU goes in pieces, or in an extended one.
func TestLongData(t *testing.T) {
	object := bytes.Repeat([]byte("certificate."), 60) // 720 bytes
	want := encode(tagObject, object)
	body := append(unhex(t, "5c035fc105"), want...)
	extended := append(unhex(t, "00db3fff00"), byte(len(body)>>8), byte(len(body)))
	writes := map[string][][]byte{
		"chained": {append(unhex(t, "10db3fffff"), body[:255]...), append(unhex(t, "10db3fffff"), body[255:510]...),
			append([]byte{0x00, 0xdb, 0x3f, 0xff, byte(len(body) - 510)}, body[510:]...)},
		"extended": {append(extended, body...)},
	}
	for name, apdus := range writes {
		c := powered(t, Config{})
		c.session.managed = true
		for _, apdu := range apdus {
			transmit(t, c, apdu, success)
		}
		got := transmit(t, c, unhex(t, "00cb3fff055c035fc10500"), moreData)
		got = append(got, transmit(t, c, unhex(t, "00c0000000"), moreData|status(len(want)-512))...)
		got = append(got, transmit(t, c, append(unhex(t, "00c00000"), byte(len(want)-512)), success)...)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: read %x in pieces", name, got)
		}
		if got := transmit(t, c, unhex(t, "00cb3fff0000055c035fc1050000"), success); !bytes.Equal(got, want) {
			t.Errorf("%s: read %x at once", name, got)
		}
	}
}

func TestChainEnds(t *testing.T) {
	c := powered(t, Config{})
	c.session.managed = true
	piece := append(unhex(t, "10db3fffff"), make([]byte, 255)...)
	for range chainLimit / 255 {
		transmit(t, c, piece, success)
	}
	transmit(t, c, piece, wrongLength)
	// another command in the middle of a chain is one of its own
	transmit(t, c, piece, success)
	transmit(t, c, unhex(t, "00fd000000"), success)
	transmit(t, c, unhex(t, "80fd000000"), wrongClass)
}

func TestNoPower(t *testing.T) {
	c := New(Config{})
	version := unhex(t, "00fd000000")
	if out := c.Transmit(version); out != nil {
		t.Errorf("without power: %x", out)
	}
	c.PowerOn()
	transmit(t, c, version, wrongInstruction)
	c.PowerOff()
	if out := c.Transmit(version); out != nil {
		t.Errorf("after power off: %x", out)
	}
}

// The last byte of an ATR makes the exclusive or of all but the first one 0 (ISO 7816-3,
// 8.2.5).
func TestATR(t *testing.T) {
	for _, v := range []Version{{4, 3, 5}, {5, 4, 3}} {
		var sum byte
		atr := New(Config{Version: v}).ATR()
		for _, b := range atr[1:] {
			sum ^= b
		}
		if sum != 0 {
			t.Errorf("%v: the check byte of %x is wrong", v, atr)
		}
	}
}

func TestPrintedInformationWantsPIN(t *testing.T) {
	c := powered(t, Config{})
	c.session.managed = true
	transmit(t, c, unhex(t, "00db3fff085c035fc109530101"), success)
	read := unhex(t, "00cb3fff055c035fc109")
	transmit(t, c, read, securityStatus)
	transmit(t, c, unhex(t, "0020008008313233343536ffff"), success)
	transmit(t, c, read, success)
	transmit(t, c, unhex(t, "0020ff80"), success)
	transmit(t, c, read, securityStatus)
}

// Slot F9 is its owner's to overwrite.
func TestAttestationKeyReplaced(t *testing.T) {
	c := powered(t, Config{})
	c.session.managed = true
	transmit(t, c, unhex(t, "0047009a05ac03800111"), success)
	own := NewAuthority("somebody else")
	scalar, err := own.Key.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	body := encode(tagECScalar, scalar)
	transmit(t, c, append([]byte{0x00, insImport, algP256, slotAttestation, byte(len(body))}, body...), success)
	attest := unhex(t, "00f99a00000000")
	transmit(t, c, attest, conditions) // the old certificate is not of the new key
	body = append(encode(tagObjectName, []byte(objectAttestation)), encode(tagObject, certificateObject(own.Certificate.Raw))...)
	transmit(t, c, append([]byte{0x00, insPutData, 0x3f, 0xff, 0, byte(len(body) >> 8), byte(len(body))}, body...), success)
	certificate, err := x509.ParseCertificate(transmit(t, c, attest, success))
	if err == nil {
		err = certificate.CheckSignatureFrom(own.Certificate)
	}
	if err != nil {
		t.Error(err)
	}
}
