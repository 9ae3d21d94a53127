package otp

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"testing"
)

func TestCRC(t *testing.T) {
	for _, c := range []struct {
		data string
		want uint16
	}{
		{"0001020304", 62919}, {"fe", 4470}, {"55aa00ff", 52149},
		{"01020304050630750009" + "3dfa60ea", 35339}, {"01020304", 0xc66e},
	} {
		data, _ := hex.DecodeString(c.data)
		if got := crc(data); got != c.want {
			t.Errorf("crc(%s) = %d, not %d", c.data, got, c.want)
		}
	}
}

// The vectors are those of python-yubico's tests, and of NIST's example for HMAC.
func TestFramesAreThoseOfTheVectors(t *testing.T) {
	sample := [payloadSize]byte{}
	copy(sample[:], "Sample #2")
	for _, c := range []struct {
		command command
		payload [payloadSize]byte
		want    string
	}{
		{hmacSlot2, sample, "53616d706c652080 2332000000000081 0038f82a00000089"},
		{readSerial, [payloadSize]byte{}, "0000000000000080 00106b5b00000089"},
	} {
		reports, err := frame(c.command, c.payload)
		if err != nil {
			t.Fatal(err)
		}
		if got := inHex(reports); got != c.want {
			t.Errorf("command %#x is %s, not %s", c.command, got, c.want)
		}
	}
}

func inHex(reports []report) string {
	var words []string
	for _, r := range reports {
		words = append(words, hex.EncodeToString(r[:]))
	}
	return strings.Join(words, " ")
}

func TestOnlyFourCommandsAreEverSent(t *testing.T) {
	for c := range 256 {
		_, err := frame(command(c), [payloadSize]byte{})
		permitted := bytes.IndexByte([]byte{0x10, 0x13, 0x30, 0x38}, byte(c)) >= 0
		if (err == nil) != permitted {
			t.Errorf("command %#x: %v", c, err)
		}
	}
}

func TestChunksOfZerosAreLeftOut(t *testing.T) {
	var payload [payloadSize]byte
	payload[38], payload[39], payload[40] = 1, 2, 3
	reports, err := frame(hmacSlot1, payload)
	if err != nil {
		t.Fatal(err)
	}
	// The vector has another command; all else is the same.
	if got := inHex(reports); got != "0000000000000080 0000000102030085 0030017300000089" {
		t.Error(got)
	}
}

func TestAnswersOfTheVectors(t *testing.T) {
	answer := unhex(t, "0922d3405faa3d"+"194f82a4583073"+"7d5cc6c75d24e4"+"d4000000000000")
	got, err := checked(answer, ResponseSize)
	if err != nil || hex.EncodeToString(got) != "0922d3405faa3d194f82a45830737d5cc6c75d24" {
		t.Errorf("%x, %v", got, err)
	}
	got, err = checked(unhex(t, "0012d687af3700"), 4)
	if err != nil || hex.EncodeToString(got) != "0012d687" {
		t.Errorf("%x, %v", got, err)
	}
	answer[3] ^= 1
	if _, err := checked(answer, ResponseSize); err == nil {
		t.Error("a wrong checksum is no error")
	}
}

// What the fake key takes of a payload is what the vectors say of a real one.
func TestTheKeyTakesOfAPayloadWhatTheVectorsSay(t *testing.T) {
	secret := unhex(t, "303132333435363738393a3b3c3d3e3f40414243")
	for _, c := range []struct {
		message []byte
		fixed   bool
		want    string
	}{
		{[]byte("Sample #2"), false, "0922d3405faa3d194f82a45830737d5cc6c75d24"},
		{count(63), false, "7d8b192118bbc9ea0134e4283bf4d2ea71d3a41e"},
		{count(64), false, "7d8b192118bbc9ea0134e4283bf4d2ea71d3a41e"},
		{count(64), true, "30ab9011bf6a336915ac10428b7b7326077a0ac0"},
	} {
		k := &fakeKey{t: t, secret: secret, fixed: c.fixed}
		copy(k.buffer[:], c.message)
		k.hmac()
		if got := hex.EncodeToString(k.answer[:ResponseSize]); got != c.want {
			t.Errorf("%x: %s, not %s", c.message, got, c.want)
		}
	}
	h := hmac.New(sha1.New, secret)
	h.Write(count(63))
	if got := hex.EncodeToString(h.Sum(nil)); got != "7d8b192118bbc9ea0134e4283bf4d2ea71d3a41e" {
		t.Error(got)
	}
}

func count(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
