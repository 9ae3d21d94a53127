package yubico

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func secretsOf(t testing.TB, privateID, aesKey string) *secrets {
	t.Helper()
	return &secrets{privateID: [6]byte(unhex(t, privateID)), aesKey: [16]byte(unhex(t, aesKey))}
}

// block is the plaintext of a token without its checksum, which seal adds.
func block(privateID []byte, use uint16, session uint8) []byte {
	plain := binary.LittleEndian.AppendUint16(slices.Clone(privateID), use)
	return append(plain, 0x5a, 0xa5, 0x33, session, 0x77, 0x88)
}

// seal encrypts a plaintext of 14 bytes and its checksum.
func seal(t testing.TB, s *secrets, plain []byte) string {
	t.Helper()
	return sealRaw(t, s, binary.LittleEndian.AppendUint16(slices.Clone(plain), ^checksum(plain)))
}

func sealRaw(t testing.TB, s *secrets, plain []byte) string {
	t.Helper()
	c, err := aes.NewCipher(s.aesKey[:])
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, aes.BlockSize)
	c.Encrypt(out, plain)
	return string(appendModhex(nil, out))
}

func TestModhex(t *testing.T) {
	for text, want := range map[string]string{
		"ifhgieif":         "74657374",
		"dteffuje":         "2d344e83",
		"hhhvhvhdhbid":     hex.EncodeToString([]byte("foobar")),
		"cbdefghijklnrtuv": "0123456789abcdef",
		"":                 "",
	} {
		got, ok := decodeModhex([]byte(text))
		if !ok || hex.EncodeToString(got) != want {
			t.Errorf("%q: %x, %v, want %s", text, got, ok, want)
		}
		if back := string(appendModhex(nil, got)); back != text {
			t.Errorf("%q comes back as %q", text, back)
		}
	}
	for _, text := range []string{"c", "cba", "CB", "ca", "c ", "cb\n.", "1234"} {
		if got, ok := decodeModhex([]byte(text)); ok {
			t.Errorf("%q is %x", text, got)
		}
	}
}

func TestChecksum(t *testing.T) {
	for text, want := range map[string]uint16{
		"00 01 02 03 04": 62919,
		"fe":             4470,
		"55 aa 00 ff":    52149,
		"01 02 03 04 05 06 30 75 00 09 3d fa 60 ea": 35339,
		"01 02 03 04": 0xc66e,
		"":            0xffff,
	} {
		if got := checksum(unhex(t, text)); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

func TestAESBlock(t *testing.T) {
	c, err := aes.NewCipher([]byte("abcdef0123456789"))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, aes.BlockSize)
	c.Decrypt(got, []byte("0123456789abcdef"))
	if want := unhex(t, "838a467f34639551755bd32a4a2f15e1"); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// vectors are published OTPs: of yubico-c's self test and test-vectors.txt, of
// ykparse's manual and yubikey-ksm, and one that ykgenerate made.
var vectors = []struct {
	aesKey, otp, plain string
	use, session       int
}{
	{"000102030405060708090a0b0c0d0e0f", "dvgtiblfkbgturecfllberrvkinnctnn", "010203040506 0100 0100 01 01 0000 36fe", 1, 1},
	{"000102030405060708090a0b0c0d0e0f", "rnibcnfhdninbrdebccrndfhjgnhftee", "010203040506 0100 0100 01 02 0000 5211", 1, 2},
	{"000102030405060708090a0b0c0d0e0f", "iikkijbdknrrdhfdrjltvgrbkkjblcbh", "010203040506 ff0f 0100 01 01 0000 5494", 0x0fff, 1},
	{"88888888888888888888888888888888", "dcihgvrhjeucvrinhdfddbjhfjftjdei", "888888888888 8888 8888 88 88 8888 b6d3", 0x0888, 0x88},
	{"00000000000000000000000000000000", "kkkncjnvcnenkjvjgncjihljiibgbhbh", "000000000000 0000 0000 00 00 0000 6aa9", 0, 0},
	{"c4422890653076cde73d449b191b416a", "iucvrkjiegbhidrcicvlgrcgkgurhjnj", "33c69e7f249e 0100 a713 24 00 3cc6 861c", 1, 0},
	{"ecde18dbe76fbd0c33330f1c354871db", "dteffujehknhfjbrjnlnldnhcujvddbikngjrtgh", "8792ebfe26cc 1300 30c2 00 11 c89f 23c8", 19, 17},
	{"c68c9df8cbfe7d2f994cb904046c7218", "idkfefrdhtrutjduvtcjbfeuvhehdvjjlbchtlenfgku", "609963eae7b5 0100 408d 0f 00 4754 f957", 1, 0},
	{"00112233445566778899aabbccddeeff", "iubrtiifdbdiltutvcuetkcjucgcujeg", "010203040506 0100 0302 04 05 84aa 220c", 1, 5},
	{"ecde18dbe76fbd0c33330f1c354871db", "dteffujedcflcindvdbrblehecuitvjkjevvehjd", "8792ebfe26cc 1300 a8c0 00 10 b408 6f5b", 19, 16},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		plain := unhex(t, v.plain)
		s := &secrets{privateID: [6]byte(plain), aesKey: [16]byte(unhex(t, v.aesKey))}
		_, token, ok := split([]byte(v.otp))
		if !ok {
			t.Fatalf("%s does not split", v.otp)
		}
		if got := sealRaw(t, s, plain); got != string(token) {
			t.Errorf("%s: its plaintext seals to %s", v.otp, got)
		}
		c, ok := s.open(token)
		if !ok || c.use() != v.use || c.session() != v.session {
			t.Errorf("%s: %v, %v, want %d/%d", v.otp, c, ok, v.use, v.session)
		}
		last := token[len(token)-1]
		token[len(token)-1] = 'v' ^ 'u' ^ last // another character, or no modhex at all
		if c, ok := s.open(token); ok {
			t.Errorf("%s is corrupt and opens: %v", token, c)
		}
	}
}

func TestCorrupt(t *testing.T) {
	v := vectors[7]
	s := secretsOf(t, "609963eae7b5", v.aesKey)
	if c, ok := s.open([]byte("tjduvtcjbfeuvhehdvjjlbchtlenfgkv")); ok {
		t.Errorf("a changed last character opens: %v", c)
	}
	for at := range tokenSize { // every character counts
		token := []byte(v.otp[12:])
		token[at] = modhex[(strings.IndexByte(modhex, token[at])+1)%16]
		if c, ok := s.open(token); ok {
			t.Errorf("%s opens: %v", token, c)
		}
	}
}

// What a checksum can't say: it is right, and the key is another one.
func TestWrongPrivateID(t *testing.T) {
	s := secretsOf(t, "609963eae7b5", vectors[7].aesKey)
	for at := range privateIDSize {
		other := s.privateID
		other[at] ^= 1
		if c, ok := s.open([]byte(seal(t, s, block(other[:], 1, 0)))); ok {
			t.Errorf("private id %x opens for %x: %v", other, s.privateID, c)
		}
	}
	plain := append(block(s.privateID[:], 1, 0), 0, 0) // and the other way round
	if c, ok := s.open([]byte(sealRaw(t, s, plain))); ok {
		t.Errorf("opens without a checksum: %v", c)
	}
}

func TestCounterOrder(t *testing.T) {
	ordered := []counter{newCounter(0, 0), newCounter(0, 1), newCounter(0, 255), newCounter(1, 0), newCounter(1, 1),
		newCounter(255, 255), newCounter(256, 0), newCounter(0x7ffe, 255), newCounter(0x7fff, 0), newCounter(0x7fff, 255)}
	if !slices.IsSorted(ordered) || len(slices.Compact(slices.Clone(ordered))) != len(ordered) {
		t.Errorf("not in order: %v", ordered)
	}
	if newCounter(0x8001, 3) != newCounter(1, 3) {
		t.Error("the bit of the lock key counts")
	}
	for c, want := range map[counter]bool{newCounter(0x7ffe, 255): false, newCounter(0x7fff, 0): true, newCounter(0xffff, 9): true} {
		if c.worn() != want {
			t.Errorf("%v worn: %v", c, !want)
		}
	}
}

func TestSplit(t *testing.T) {
	for size, want := range map[int]int{0: -1, 31: -1, 32: 0, 33: 1, 44: 12, 64: 32, 65: -1, 4096: -1} {
		publicID, token, ok := split(bytes.Repeat([]byte("c"), size))
		if ok != (want >= 0) || ok && (len(publicID) != want || len(token) != 32) {
			t.Errorf("%d characters: %d and %d, %v", size, len(publicID), len(token), ok)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.otp))
	}
	s := secretsOf(f, "8792ebfe26cc", "ecde18dbe76fbd0c33330f1c354871db")
	f.Fuzz(func(t *testing.T, otp []byte) {
		_, token, ok := split(otp)
		if !ok {
			return
		}
		c, ok := s.open(token)
		if !ok {
			return
		}
		decoded, ok := decodeModhex(token)
		if !ok || string(appendModhex(nil, decoded)) != string(token) || c.use() > maxUse {
			t.Errorf("%q opens: %v", otp, c)
		}
	})
}
