package otpkey

import (
	"crypto/aes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestSeal: tokens of yubico-c's self test and of ykparse's manual.
func TestSeal(t *testing.T) {
	for _, c := range []struct{ key, plain, want string }{
		{"000102030405060708090a0b0c0d0e0f", "010203040506010001000101000036fe", "dvgtiblfkbgturecfllberrvkinnctnn"},
		{"c4422890653076cde73d449b191b416a", "33c69e7f249e0100a71324003cc6861c", "iucvrkjiegbhidrcicvlgrcgkgurhjnj"},
		{"ecde18dbe76fbd0c33330f1c354871db", "8792ebfe26cc130030c20011c89f23c8", "hknhfjbrjnlnldnhcujvddbikngjrtgh"},
	} {
		plain := [16]byte(unhex(t, c.plain))
		if sum := crc(plain[:]); sum != 0xf0b8 {
			t.Errorf("%s: checksum %#x", c.plain, sum)
		}
		if got := modhex(seal([16]byte(unhex(t, c.key)), plain)); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// TestYubico: how counters and time stamp go on, from touch to touch and with power.
func TestYubico(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := &Yubico{PublicID: "vvccccccccbd", PrivateID: [6]byte(unhex(t, "8792ebfe26cc")), AESKey: [16]byte(unhex(t, "ecde18dbe76fbd0c33330f1c354871db")), Use: 18}
		k := New(Config{Short: Slot{Types: y}})
		type token struct {
			use     uint16
			session byte
			stamp   uint32
		}
		touch := func() token {
			text, _, err := k.Touch(false)
			id, code := text[:12], text[12:]
			if err != nil || id != "vvccccccccbd" {
				t.Fatalf("%q, %v", text, err)
			}
			b, err := hex.DecodeString(strings.Map(func(r rune) rune {
				return rune("0123456789abcdef"[strings.IndexRune("cbdefghijklnrtuv", r)])
			}, code))
			if err != nil {
				t.Fatal(err)
			}
			block, err := aes.NewCipher(y.AESKey[:])
			if err != nil {
				t.Fatal(err)
			}
			block.Decrypt(b, b)
			if [6]byte(b) != y.PrivateID || crc(b) != 0xf0b8 {
				t.Fatalf("token %x", b)
			}
			return token{binary.LittleEndian.Uint16(b[6:]), b[11], uint32(b[10])<<16 | uint32(binary.LittleEndian.Uint16(b[8:]))}
		}
		first := touch()
		time.Sleep(2 * time.Second)
		second := touch()
		k.Plug()
		k.Plug() // power alone does not count: an OTP does
		third := touch()
		if first.use != 19 || first.session != 0 || second.use != 19 || second.session != 1 || third.use != 20 || third.session != 0 {
			t.Errorf("%+v %+v %+v", first, second, third)
		}
		if ticks := (second.stamp - first.stamp) & 0xffffff; ticks != 16 {
			t.Errorf("%d ticks in two seconds", ticks)
		}
	})
}

// TestHOTP: RFC 4226, appendix D.
func TestHOTP(t *testing.T) {
	h := &HOTP{ID: "ubhe", Secret: []byte("12345678901234567890"), Digits: 6}
	k := New(Config{Long: Slot{Types: h}})
	for _, want := range strings.Fields("755224 287082 359152 969429 338314 254676 287922 162583 399871 520489") {
		if got, _, err := k.Touch(true); err != nil || got != "ubhe"+want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	h.Counter, h.Digits = 0, 8
	if got, _, err := k.Touch(true); err != nil || got != "ubhe84755224" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestChallengeOTP: the challenge stands in the token with the private id.
func TestChallengeOTP(t *testing.T) {
	c := Challenge{PrivateID: [6]byte{1, 2, 3, 4, 5, 6}, AESKey: [16]byte{1}}
	k := New(Config{Long: Slot{Answers: c}})
	say(t, k, frame(cmdOTP2, []byte{1, 1, 1, 1, 1, 1}))
	got := answer(t, k, 16)
	block, err := aes.NewCipher(c.AESKey[:])
	if err != nil {
		t.Fatal(err)
	}
	block.Decrypt(got, got)
	if want := [6]byte{0, 3, 2, 5, 4, 7}; [6]byte(got) != want || crc(got) != 0xf0b8 {
		t.Errorf("%x", got)
	}
	say(t, k, reset+" "+frame(cmdHMAC2, nil)) // such a slot does no HMAC
	if r := k.Get(); r[7] != 0 {
		t.Errorf("%x", r)
	}
}
