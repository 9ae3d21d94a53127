package proof

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"
)

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signers has one private key of each kind that is taken.
func signers(t testing.TB) map[string]crypto.Signer {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"P-256": ecKey(t, elliptic.P256()), "P-384": ecKey(t, elliptic.P384()),
		"Ed25519": ed, "RSA-2048": rsaKey(t, 2048), "RSA-3072": rsaKey(t, 3072)}
}

func TestSignature(t *testing.T) {
	message := []byte("a message of factord")
	for name, signer := range signers(t) {
		k := key(t, signer.Public())
		if k.String() != name {
			t.Errorf("%s is called %s", name, k)
		}
		digest, how, err := k.Digest(message)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := signer.Sign(rand.Reader, digest, how)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseKey(k.SPKI())
		if err != nil || !again.Equal(k) {
			t.Fatalf("%s: the key is another when it was kept: %v", name, err)
		}
		if err := again.Verify(message, signature); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		refuse(t, name, k, message, signature)
	}
}

// refuse tries what is not the signature of the message.
func refuse(t *testing.T, name string, k *Key, message, signature []byte) {
	t.Helper()
	for i := range signature {
		changed := bytes.Clone(signature)
		changed[i] ^= 0x40
		if k.Verify(message, changed) == nil {
			t.Fatalf("%s: byte %d of the signature does not matter", name, i)
		}
	}
	for what, other := range map[string][]byte{"nothing": nil, "a short one": signature[:len(signature)-1],
		"a longer one": append(bytes.Clone(signature), 0), "a long one": make([]byte, maxSignature+1)} {
		if k.Verify(message, other) == nil {
			t.Errorf("%s: %s is taken", name, what)
		}
	}
	if k.Verify([]byte("another message"), signature) == nil {
		t.Errorf("%s: the signature is of another message", name)
	}
	if key(t, newKey(t).Public()).Verify(message, signature) == nil {
		t.Errorf("%s: the signature is by another key", name)
	}
}

func TestNoKey(t *testing.T) {
	for _, k := range []*Key{nil, {}} {
		if k.Verify([]byte("m"), []byte("s")) == nil || k.Equal(k) {
			t.Errorf("%v verifies", k)
		}
	}
	k := key(t, newKey(t).Public())
	if k.Verify(nil, nil) == nil || k.Verify(make([]byte, maxMessage+1), []byte("s")) == nil {
		t.Error("no message, or a long one, is signed")
	}
}

func TestUnfitKeys(t *testing.T) {
	x, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	exponent3 := rsaKey(t, 2048).PublicKey
	exponent3.E = 3
	for name, public := range map[string]crypto.PublicKey{
		"P-224": ecKey(t, elliptic.P224()).Public(), "P-521": ecKey(t, elliptic.P521()).Public(),
		"X25519": x.PublicKey(), "RSA-1024": rsaKey(t, 1024).Public(), "RSA-2064": rsaKey(t, 2064).Public(),
		"exponent 3": &exponent3, "CVE-2017-15361": &rsa.PublicKey{N: rocaModulus(t), E: exponent},
		"short Ed25519": ed25519.PublicKey("short"), "nothing": nil,
	} {
		if k, err := NewKey(public); err == nil {
			t.Errorf("%s is taken: %v", name, k)
		}
		if spki, err := x509.MarshalPKIXPublicKey(public); err == nil {
			if k, err := ParseKey(spki); err == nil {
				t.Errorf("%s is read: %v", name, k)
			}
		}
	}
}

// rocaModulus is made as the Infineon library makes its own, except that its factors
// are no primes, which takes time and is not looked at.
func rocaModulus(t testing.TB) *big.Int {
	t.Helper()
	m := big.NewInt(2)
	for _, prime := range smallPrimes() {
		m.Mul(m, big.NewInt(prime))
	}
	factor := func() *big.Int {
		a, err := rand.Int(rand.Reader, m)
		if err != nil {
			t.Fatal(err)
		}
		k, err := rand.Prime(rand.Reader, 1024) // its two highest bits are set
		if err != nil {
			t.Fatal(err)
		}
		k.Div(k, m).Mul(k, m)
		return k.Add(k, a.Exp(big.NewInt(exponent), a, m))
	}
	return new(big.Int).Mul(factor(), factor())
}

func FuzzKey(f *testing.F) {
	for _, signer := range signers(f) {
		f.Add(key(f, signer.Public()).SPKI(), []byte("message"), []byte("signature"))
	}
	f.Add([]byte{0x30, 0}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, spki, message, signature []byte) {
		k, err := ParseKey(spki)
		if err != nil {
			return
		}
		if !bytes.Equal(k.SPKI(), spki) {
			t.Errorf("read from %x, kept as %x", spki, k.SPKI())
		}
		k.Verify(message, signature)
	})
}
