package card_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"

	"github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/usb/virtual/card"
	"github.com/factord/factord/usb/virtual/reader"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens a card through pcscd with go-piv.
func open(t *testing.T, k *reader.Key) *piv.YubiKey {
	t.Helper()
	yk, err := piv.Open(k.Reader)
	must(t, err)
	t.Cleanup(func() { yk.Close() })
	return yk
}

// insert opens a new card.
func insert(t *testing.T, config card.Config) (*reader.Key, *piv.YubiKey) {
	t.Helper()
	k := reader.New(t, reader.Config{}).Insert(card.New(config))
	return k, open(t, k)
}

// versions are the firmwares that differ for a client.
func versions() []card.Version { return []card.Version{{4, 3, 5}, {5, 4, 3}, {5, 7, 1}} }

func p256(pin piv.PINPolicy, touch piv.TouchPolicy) piv.Key {
	return piv.Key{Algorithm: piv.AlgorithmEC256, PINPolicy: pin, TouchPolicy: touch}
}

func generate(t *testing.T, yk *piv.YubiKey, slot piv.Slot, k piv.Key) crypto.PublicKey {
	t.Helper()
	public, err := yk.GenerateKey(piv.DefaultManagementKey, slot, k)
	must(t, err)
	return public
}

// sign signs with a slot and checks the signature.
func sign(yk *piv.YubiKey, slot piv.Slot, public crypto.PublicKey, auth piv.KeyAuth) error {
	private, err := yk.PrivateKey(slot, public, auth)
	if err != nil {
		return err
	}
	message := []byte("a nonce bound to host, user and attempt")
	digest := sha256.Sum256(message)
	data, hash := digest[:], crypto.SHA256
	if _, is := public.(ed25519.PublicKey); is {
		data, hash = message, crypto.Hash(0)
	}
	signature, err := private.(crypto.Signer).Sign(rand.Reader, data, hash)
	if err != nil {
		return err
	}
	valid := false
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		valid = ecdsa.VerifyASN1(public, data, signature)
	case *rsa.PublicKey:
		valid = rsa.VerifyPKCS1v15(public, hash, data, signature) == nil
	case ed25519.PublicKey:
		valid = ed25519.Verify(public, data, signature)
	}
	if !valid {
		return fmt.Errorf("the signature is wrong")
	}
	return nil
}

func TestEveryFirmware(t *testing.T) {
	r := reader.New(t, reader.Config{})
	for _, v := range versions() {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			k := r.Insert(card.New(card.Config{Version: v}))
			defer k.Remove()
			yk := open(t, k)
			defer yk.Close()
			if got := yk.Version(); got != (piv.Version{Major: int(v[0]), Minor: int(v[1]), Patch: int(v[2])}) {
				t.Errorf("version %v", got)
			}
			if serial, err := yk.Serial(); err != nil || serial != k.Card.Serial() {
				t.Errorf("serial %d, %v, want %d", serial, err, k.Card.Serial())
			}
			if form, err := yk.FormFactor(); err != nil || form != piv.FormfactorUSBAKeychain {
				t.Errorf("form factor %v, %v", form, err)
			}
			algorithms := []piv.Algorithm{piv.AlgorithmEC256, piv.AlgorithmEC384, piv.AlgorithmRSA2048}
			if v.AtLeast(5, 7) {
				algorithms = append(algorithms, piv.AlgorithmEd25519)
			}
			for _, a := range algorithms {
				everyKey(t, yk, a, v)
			}
		})
	}
}

// everyKey generates, imports, describes, attests and uses a key.
func everyKey(t *testing.T, yk *piv.YubiKey, a piv.Algorithm, v card.Version) {
	slot := piv.SlotAuthentication
	k := piv.Key{Algorithm: a, PINPolicy: piv.PINPolicyOnce, TouchPolicy: piv.TouchPolicyNever}
	public := generate(t, yk, slot, k)
	must(t, sign(yk, slot, public, piv.KeyAuth{PIN: piv.DefaultPIN}))
	certificate, err := yk.Attest(slot)
	must(t, err)
	if !public.(interface{ Equal(crypto.PublicKey) bool }).Equal(certificate.PublicKey) {
		t.Errorf("algorithm %v: the attestation is of another key", a)
	}
	if v.AtLeast(5, 3) {
		info, err := yk.KeyInfo(slot)
		must(t, err)
		if info.Algorithm != a || info.Origin != piv.OriginGenerated || info.PINPolicy != k.PINPolicy || info.TouchPolicy != k.TouchPolicy ||
			!public.(interface{ Equal(crypto.PublicKey) bool }).Equal(info.PublicKey) {
			t.Errorf("metadata %+v", info)
		}
	}
	imported := newPrivate(t, a)
	must(t, yk.SetPrivateKeyInsecure(piv.DefaultManagementKey, slot, imported, k))
	must(t, sign(yk, slot, imported.Public(), piv.KeyAuth{PIN: piv.DefaultPIN, PINPolicy: piv.PINPolicyOnce}))
	if _, err := yk.Attest(slot); !errors.Is(err, piv.ErrNotFound) {
		t.Errorf("algorithm %v: an imported key is attested: %v", a, err)
	}
}

func newPrivate(t *testing.T, a piv.Algorithm) (private crypto.Signer) {
	t.Helper()
	var err error
	switch a {
	case piv.AlgorithmEC256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case piv.AlgorithmEC384:
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case piv.AlgorithmRSA2048:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}
	must(t, err)
	return private
}

func TestOldFirmwareLacksWhatCameLater(t *testing.T) {
	_, yk := insert(t, card.Config{Version: card.Version{4, 3, 5}})
	if _, err := yk.KeyInfo(piv.SlotAuthentication); err == nil {
		t.Error("4.3.5 has metadata")
	}
	_, err := yk.GenerateKey(piv.DefaultManagementKey, piv.SlotAuthentication, piv.Key{Algorithm: piv.AlgorithmEd25519, PINPolicy: piv.PINPolicyOnce, TouchPolicy: piv.TouchPolicyNever})
	if err == nil {
		t.Error("4.3.5 has Ed25519")
	}
}

func TestKeyAgreement(t *testing.T) {
	_, yk := insert(t, card.Config{})
	public := generate(t, yk, piv.SlotKeyManagement, p256(piv.PINPolicyNever, piv.TouchPolicyNever)).(*ecdsa.PublicKey)
	private, err := yk.PrivateKey(piv.SlotKeyManagement, public, piv.KeyAuth{PINPolicy: piv.PINPolicyNever})
	must(t, err)
	mine, err := ecdh.P256().GenerateKey(rand.Reader)
	must(t, err)
	theirs, err := public.ECDH()
	must(t, err)
	want, err := mine.ECDH(theirs)
	must(t, err)
	got, err := private.(*piv.ECDSAPrivateKey).ECDH(mine.PublicKey())
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("agreed on %x, %v, want %x", got, err, want)
	}
}

func TestManagementKey(t *testing.T) {
	for _, v := range versions() {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			_, yk := insert(t, card.Config{Version: v})
			key := bytes.Repeat([]byte{7}, 24)
			must(t, yk.SetManagementKey(piv.DefaultManagementKey, key))
			if err := yk.SetManagementKey(piv.DefaultManagementKey, key); err == nil {
				t.Error("the old key still works")
			}
			must(t, yk.SetManagementKey(key, piv.DefaultManagementKey))
		})
	}
}

func TestCertificate(t *testing.T) {
	_, yk := insert(t, card.Config{})
	if _, err := yk.Certificate(piv.SlotSignature); !errors.Is(err, piv.ErrNotFound) {
		t.Errorf("an empty slot: %v", err)
	}
	certificate := card.NewAuthority("somebody").Certificate
	must(t, yk.SetCertificate(piv.DefaultManagementKey, piv.SlotSignature, certificate))
	got, err := yk.Certificate(piv.SlotSignature)
	if err != nil || !got.Equal(certificate) {
		t.Errorf("read %v, %v", got, err)
	}
}

// An attestation holds for those who trust the card's authority, and for nobody else.
func TestAttestation(t *testing.T) {
	root := card.NewAuthority("our root")
	between := root.Intermediate("between")
	k, yk := insert(t, card.Config{Authority: between})
	public := generate(t, yk, piv.SlotAuthentication, p256(piv.PINPolicyAlways, piv.TouchPolicyCached))
	f9, err := yk.AttestationCertificate()
	must(t, err)
	certificate, err := yk.Attest(piv.SlotAuthentication)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(root.Certificate)
	roots.AddCert(between.Certificate)
	said, err := (&piv.Verifier{Roots: roots}).Verify(f9, certificate)
	must(t, err)
	want := piv.Attestation{Version: piv.Version{Major: 5, Minor: 4, Patch: 3}, Serial: k.Card.Serial(), Formfactor: piv.FormfactorUSBAKeychain,
		PINPolicy: piv.PINPolicyAlways, TouchPolicy: piv.TouchPolicyCached, Slot: piv.SlotAuthentication}
	if *said != want {
		t.Errorf("attested %+v, want %+v", *said, want)
	}
	if !public.(*ecdsa.PublicKey).Equal(certificate.PublicKey) {
		t.Error("another key is attested")
	}
	if _, err := piv.Verify(f9, certificate); err == nil {
		t.Error("Yubico's roots vouch for a virtual key")
	}
}

// What a forged attestation can get past go-piv's own check is for its caller to find.
func TestForgedAttestation(t *testing.T) {
	root, stranger := card.NewAuthority("our root"), card.NewAuthority("Yubico PIV Root CA Serial 263751")
	roots := x509.NewCertPool()
	roots.AddCert(root.Certificate)
	forge := func(change func(what *card.Attestation)) func(*card.Authority, card.Attestation) ([]byte, error) {
		return func(f9 *card.Authority, what card.Attestation) ([]byte, error) {
			change(&what)
			return f9.Attest(what)
		}
	}
	for name, c := range map[string]struct {
		forge    func(*card.Authority, card.Attestation) ([]byte, error)
		verified bool
	}{
		"truth":          {nil, true},
		"stranger":       {func(_ *card.Authority, what card.Attestation) ([]byte, error) { return stranger.Attest(what) }, false},
		"not a DER":      {func(*card.Authority, card.Attestation) ([]byte, error) { return []byte{0x30, 0x03, 0x02}, nil }, false},
		"F9 itself":      {func(f9 *card.Authority, _ card.Attestation) ([]byte, error) { return f9.Certificate.Raw, nil }, true},
		"other slot":     {forge(func(what *card.Attestation) { what.Slot = 0x9c }), true},
		"other serial":   {forge(func(what *card.Attestation) { what.Serial++ }), true},
		"other key":      {forge(func(what *card.Attestation) { what.Key = stranger.Key.Public() }), true},
		"strange policy": {forge(func(what *card.Attestation) { what.PINPolicy = 9 }), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, yk := insert(t, card.Config{Authority: root, Forge: c.forge})
			generate(t, yk, piv.SlotAuthentication, p256(piv.PINPolicyAlways, piv.TouchPolicyNever))
			f9, err := yk.AttestationCertificate()
			must(t, err)
			certificate, err := yk.Attest(piv.SlotAuthentication)
			if err == nil {
				_, err = (&piv.Verifier{Roots: roots}).Verify(f9, certificate)
			}
			if (err == nil) != c.verified {
				t.Errorf("verified: %v", err)
			}
		})
	}
}
