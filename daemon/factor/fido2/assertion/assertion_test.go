package assertion_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"
	"testing"

	"github.com/factord/factord/daemon/factor/fido2/assertion"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const rpID = "pam://host.example"

// The vector was made apart from this package, and fido2-assert -V -p -v accepts it.
const (
	vectorPoint     = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
	vectorHash      = "bd3c36efa78a45ae2fe93f9208ebcb1a9e2609d9402e7c80bf526cbc004cd50b"
	vectorAuthData  = "47770c5c163a064be9e58ab4107e96834041c863f4bef5be574937e3b0735249050000002a"
	vectorSignature = "304502207e5cb3ce9158969c3d86a6c4dd28fb9ab75a382fb874d96c05b52906f28ca63d0221008d72b6471680ae163b429d97b5c0bf2c49f44f4764394f53f09b49479f338d64"
)

func vector(t testing.TB) (c assertion.Credential, authData, hash, signature []byte) {
	t.Helper()
	key, err := assertion.NewES256(unhex(t, vectorPoint))
	if err != nil {
		t.Fatal(err)
	}
	return assertion.Credential{RPIDHash: sha256.Sum256([]byte(rpID)), Key: key}, unhex(t, vectorAuthData), unhex(t, vectorHash), unhex(t, vectorSignature)
}

func TestCheckVector(t *testing.T) {
	c, authData, hash, signature := vector(t)
	counter, flags, err := c.Check(authData, hash, signature)
	if err != nil || counter != 42 || flags != assertion.FlagPresent|assertion.FlagVerified || !flags.Verified() {
		t.Fatalf("counter %d, flags 0x%02x, %v", counter, flags, err)
	}
	for name, part := range map[string][]byte{"authData": authData, "hash": hash, "signature": signature} {
		for i := range part {
			part[i] ^= 1
			if _, _, err := c.Check(authData, hash, signature); err == nil {
				t.Errorf("accepted with byte %d of %s changed", i, name)
			}
			part[i] ^= 1
		}
	}
	if _, _, err := (assertion.Credential{RPIDHash: c.RPIDHash}).Check(authData, hash, signature); err == nil {
		t.Error("accepted without a key")
	}
	c.RPIDHash = sha256.Sum256([]byte("pam://other.example"))
	if _, _, err := c.Check(authData, hash, signature); err == nil {
		t.Error("accepted for another relying party")
	}
}

// signer is a key of each algorithm.
type signer struct {
	crypto.Signer
	public assertion.PublicKey
}

func (s signer) sign(t testing.TB, message []byte) []byte {
	t.Helper()
	hash := crypto.SHA256
	sum := sha256.Sum256(message)
	digest := sum[:]
	if s.public.Algorithm() == assertion.EdDSA {
		hash, digest = 0, message
	}
	signature, err := s.Sign(rand.Reader, digest, hash)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func signers(t testing.TB) []signer {
	t.Helper()
	ec, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	edPublic, ed, err2 := ed25519.GenerateKey(rand.Reader)
	rs, err3 := rsa.GenerateKey(rand.Reader, 2048)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	point, err1 := ec.PublicKey.Bytes()
	es256, err2 := assertion.NewES256(point)
	eddsa, err3 := assertion.NewEdDSA(edPublic)
	rs256, err4 := assertion.NewRS256(rs.N.Bytes(), big.NewInt(int64(rs.E)).Bytes())
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	return []signer{{ec, es256}, {ed, eddsa}, {rs, rs256}}
}

func authData(rpID string, flags byte, counter uint32, rest ...byte) []byte {
	sum := sha256.Sum256([]byte(rpID))
	return append(binary.BigEndian.AppendUint32(append(sum[:], flags), counter), rest...)
}

func TestCheckDemands(t *testing.T) {
	hash := bytes.Repeat([]byte{7}, 32)
	for _, s := range signers(t) {
		c := assertion.Credential{RPIDHash: sha256.Sum256([]byte(rpID)), Key: s.public}
		for _, test := range []struct {
			name string
			data []byte
			ok   bool
		}{
			{"touch", authData(rpID, 0x01, 1), true},
			{"touch and PIN", authData(rpID, 0x05, 1), true},
			{"backed up", authData(rpID, 0x19, 1), true},
			{"extensions", authData(rpID, 0x81, 1, 0xa1, 0x61, 'x', 0xf5), true},
			{"no touch", authData(rpID, 0x00, 1), false},
			{"PIN without touch", authData(rpID, 0x04, 1), false},
			{"another relying party", authData("pam://other", 0x01, 1), false},
			{"unknown flag", authData(rpID, 0x03, 1), false},
			{"trailing byte", authData(rpID, 0x01, 1, 0), false},
			{"extensions without flag", authData(rpID, 0x01, 1, 0xa0), false},
			{"flag without extensions", authData(rpID, 0x81, 1), false},
			{"extensions that are no map", authData(rpID, 0x81, 1, 0xf6), false},
			{"trailing byte after extensions", authData(rpID, 0x81, 1, 0xa0, 0), false},
			{"new credential", authData(rpID, 0x41, 1, attestedData([]byte("id"), s.public)...), false},
			{"short", authData(rpID, 0x01, 1)[:36], false},
			{"empty", nil, false},
		} {
			_, _, err := c.Check(test.data, hash, s.sign(t, slices.Concat(test.data, hash)))
			if (err == nil) != test.ok {
				t.Errorf("%s, %s: %v", s.public.Algorithm(), test.name, err)
			}
		}
		data := authData(rpID, 1, 1)
		if _, _, err := c.Check(data, hash[:31], s.sign(t, slices.Concat(data, hash[:31]))); err == nil {
			t.Error("accepted with a hash of 31 bytes")
		}
	}
}

// U2F's answer is the flag, the counter and the signature.
func TestCheckU2F(t *testing.T) {
	s := signers(t)[0]
	app, challenge := sha256.Sum256([]byte(rpID)), bytes.Repeat([]byte{9}, 32)
	answer := []byte{1, 0, 0, 0, 17}
	signature := s.sign(t, slices.Concat(app[:], answer, challenge))
	counter, flags, err := assertion.Credential{RPIDHash: app, Key: s.public}.Check(slices.Concat(app[:], answer), challenge, signature)
	if err != nil || counter != 17 || flags != assertion.FlagPresent {
		t.Fatal(counter, flags, err)
	}
}

func TestAdvance(t *testing.T) {
	for _, test := range []struct {
		stored, next assertion.Counter
		ok           bool
	}{
		{0, 0, true}, {0, 1, true}, {1, 2, true}, {1, 100, true}, {1<<32 - 2, 1<<32 - 1, true},
		{1, 0, false}, {1, 1, false}, {2, 1, false}, {1<<32 - 1, 0, false},
	} {
		if err := test.stored.Advance(test.next); (err == nil) != test.ok || err != nil && !errors.Is(err, assertion.ErrCounter) {
			t.Errorf("from %d to %d: %v", test.stored, test.next, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	c, data, hash, signature := vector(f)
	f.Add(data, signature)
	f.Add(authData(rpID, 0x81, 1, 0xa1, 0x61, 'x', 0xf5), signature)
	f.Add(authData(rpID, 0x41, 1, attestedData([]byte("id"), c.Key)...), signature)
	f.Fuzz(func(t *testing.T, d, s []byte) {
		if _, _, err := c.Check(d, hash, s); err == nil && !bytes.Equal(d, data) {
			t.Errorf("accepted %x", d)
		}
	})
}
