package ctap

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/factord/factord/usb/hid"
)

// tape is a key that says what is on it, whatever it is asked, and is then pulled out.
type tape struct {
	frames []frame
}

func (s *tape) Read(context.Context) (frame, error) {
	if len(s.frames) == 0 {
		return frame{}, hid.ErrGone
	}
	f := s.frames[0]
	s.frames = s.frames[1:]
	return f, nil
}

func (s *tape) Write(context.Context, frame) error { return nil }

func (s *tape) Close() error { return nil }

const tapeChannel = 0x01020304

// record cuts bytes into frames of the channel, but every eighth.
func record(b []byte) *tape {
	s := &tape{}
	for len(b) > 0 {
		f := frame{1, 2, 3, 4}
		at := 4
		if len(s.frames)%8 == 7 {
			at = 0
		}
		b = b[copy(f[at:], b):]
		s.frames = append(s.frames, f)
	}
	return s
}

func FuzzFrames(f *testing.F) {
	add := func(cmd byte, data []byte) {
		var b []byte
		for _, fr := range split(tapeChannel, cmd, data) {
			b = append(b, fr[4:]...)
		}
		f.Add(b)
	}
	add(cmdCBOR, []byte{0x2e})
	add(cmdCBOR, bytes.Repeat([]byte{7}, 300))
	add(cmdKeepalive, []byte{2})
	add(cmdError, []byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := channel{frames: record(b), touch: func() {}, cid: tapeChannel}
		answer, err := c.once(t.Context(), cmdCBOR, []byte{getInfo})
		if err == nil && len(answer) > maxMessage {
			t.Errorf("%d bytes", len(answer))
		}
	})
}

// assertionVector is an answer to getAssertion that python-fido2 is tested with.
const assertionVector = "a301a26269645840fe3aac036d14c1e1c65518b698dd1da8f596bc33e11072813466c6bf3845691509b80fb76d59309b8d39e0a93452688f6ca3a39a76f3fc52744fb73948b1578364747970656a7075626c69632d6b65790258250021f5fc0b85cd22e60623bcd7d1ca48948909249b4776eb515154e57b66ae12010000001d035846304402206765cbf6e871d3af7f01ae96f06b13c90f26f54b905c5166a2c791274fc2397102200b143893586cc799fba4da83b119eaea1bd80ac3ce88fcedb3efbd596a1f4f63"

func vector(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(assertionVector)
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{statusOK}, b...)
}

func TestAssertionVector(t *testing.T) {
	var r assertionReply
	if err := unmarshal(vector(t), &r); err != nil {
		t.Fatal(err)
	}
	a, err := r.check(nil)
	if err != nil || len(a.CredentialID) != 64 || a.CredentialID[0] != 0xfe || len(a.AuthData) != 37 || a.AuthData[36] != 0x1d || len(a.Signature) != 0x46 {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := r.check([][]byte{[]byte("another")}); !errors.Is(err, ErrMalformed) {
		t.Errorf("for another credential: %v", err)
	}
}

func TestStrictAnswers(t *testing.T) {
	for name, answer := range map[string]string{
		"doubled key":          "00a20101" + "0102",
		"doubled key inside":   "00a104a2626964416162696441" + "62",
		"doubled unknown key":  "00a2186401" + "186402",
		"indefinite map":       "00bf01a0ff",
		"indefinite string":    "00a1025f4101ff",
		"tag":                  "00a102c24101",
		"deep":                 "00a1018181818181" + "80",
		"trailing":             "00a000",
		"array":                "0080",
		"text for bytes":       "00a1026161",
		"bytes for a map":      "00a10141aa",
		"a length that is not": "00a1025affffffff",
		"a map that is not":    "00bbffffffffffffffff",
		"an array that is not": "00a1019affffffff",
		"nothing":              "00",
		"no answer":            "",
	} {
		b, err := hex.DecodeString(answer)
		if err != nil {
			t.Fatal(err)
		}
		var r assertionReply
		if err := unmarshal(b, &r); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(vector(f))
	f.Add([]byte{0x2e})
	f.Add([]byte{0, 0xa1, 3, 8})
	f.Add([]byte{0, 0xa2, 1, 0x81, 0x68, 'F', 'I', 'D', 'O', '_', '2', '_', '0', 3, 0x41, 0})
	f.Add([]byte{0, 0xa1, 1, 0xa5, 1, 2, 3, 0x38, 0x18, 0x20, 1, 0x21, 0x41, 0, 0x22, 0x41, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var a assertionReply
		if unmarshal(b, &a) == nil {
			if got, err := a.check(nil); err == nil && (len(got.AuthData) < minAuthData || len(got.Signature) == 0) {
				t.Errorf("%+v", got)
			}
		}
		var m makeReply
		_ = unmarshal(b, &m)
		var i Info
		if unmarshal(b, &i) == nil {
			i.protocol()
			if i.limit() > maxMessage {
				t.Error(i.limit())
			}
		}
		var p pinReply
		if unmarshal(b, &p) == nil {
			_, _, _ = agree(2, p.Agreement)
			_, _ = secret{protocol: 2, aesKey: make([]byte, 32)}.openToken(p.Token)
		}
	})
}

func FuzzU2FAnswer(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 1, 0x30, 0x90, 0x00})
	f.Add([]byte{0x69, 0x85})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := evidence("pam://host", []byte{1}, b)
		if err == nil && (len(a.AuthData) != minAuthData || len(a.Signature) == 0) {
			t.Errorf("%+v", a)
		}
	})
}

func TestSplit(t *testing.T) {
	for size := range maxMessage + 1 {
		if size > 300 && size < maxMessage-300 {
			continue
		}
		data := bytes.Repeat([]byte{0xab}, size)
		frames := split(tapeChannel, cmdCBOR, data)
		m, err := begin(frames[0])
		for _, fr := range frames[1:] {
			if err == nil {
				err = m.add(fr)
			}
		}
		if err != nil || !m.whole() || !bytes.Equal(m.data, data) || len(frames) > 1+maxPackets {
			t.Fatalf("%d bytes: %d frames, %v", size, len(frames), err)
		}
	}
}
