package reader_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"syscall"
	"testing"
	"time"

	"github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/usb/virtual/card"
	"github.com/factord/factord/usb/virtual/reader"
)

func open(t *testing.T, k *reader.Key) *piv.YubiKey {
	t.Helper()
	yk, err := piv.Open(k.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { yk.Close() })
	return yk
}

// A key is found by its serial in whichever reader it is.
func TestKeysInFourReaders(t *testing.T) {
	r := reader.New(t, reader.Config{Readers: 4})
	for _, i := range []int{2, 0, 3, 1} {
		c := card.New(card.Config{})
		k := r.InsertAt(i, c)
		if serial, err := open(t, k).Serial(); err != nil || serial != c.Serial() {
			t.Errorf("reader %q: serial %d, %v, want %d", k.Reader, serial, err, c.Serial())
		}
	}
	if names, err := piv.Cards(); err != nil || len(names) != 4 {
		t.Errorf("pcscd lists %q, %v", names, err)
	}
}

// A key that is pulled out and plugged in again has its keys, and no PIN.
func TestPullAndReplug(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := r.Insert(card.New(card.Config{}))
	yk := open(t, k)
	public, err := yk.GenerateKey(piv.DefaultManagementKey, piv.SlotAuthentication, piv.Key{Algorithm: piv.AlgorithmEC256, PINPolicy: piv.PINPolicyOnce, TouchPolicy: piv.TouchPolicyNever})
	if err == nil {
		err = yk.VerifyPIN(piv.DefaultPIN)
	}
	if err != nil {
		t.Fatal(err)
	}
	k.Remove()
	if _, err := yk.Serial(); err == nil {
		t.Error("a key that was pulled out answers")
	}
	k = r.InsertAt(1, k.Card)
	yk = open(t, k)
	sign := func(auth piv.KeyAuth) error {
		private, err := yk.PrivateKey(piv.SlotAuthentication, public, auth)
		if err != nil {
			return err
		}
		digest := sha256.Sum256([]byte("nonce"))
		_, err = private.(crypto.Signer).Sign(rand.Reader, digest[:], crypto.SHA256)
		return err
	}
	if err := sign(piv.KeyAuth{PINPolicy: piv.PINPolicyNever}); err == nil {
		t.Error("the PIN is still verified")
	}
	if err := sign(piv.KeyAuth{PIN: piv.DefaultPIN}); err != nil {
		t.Error(err)
	}
}

// The keys stay plugged in when pcscd is killed and started again.
func TestPcscdRestarted(t *testing.T) {
	r := reader.New(t, reader.Config{})
	c := card.New(card.Config{})
	k := r.Insert(c)
	yk := open(t, k)
	r.Kill()
	if _, err := yk.Serial(); err == nil {
		t.Error("there is an answer without pcscd")
	}
	r.Start()
	if serial, err := open(t, k).Serial(); err != nil || serial != c.Serial() {
		t.Errorf("serial %d, %v, want %d", serial, err, c.Serial())
	}
}

// While pcscd hangs, so does its client.
func TestPcscdHangs(t *testing.T) {
	r := reader.New(t, reader.Config{})
	c := card.New(card.Config{})
	yk := open(t, r.Insert(c))
	r.Signal(syscall.SIGSTOP)
	done := make(chan uint32)
	go func() {
		serial, _ := yk.Serial()
		done <- serial
	}()
	select {
	case <-done:
		t.Error("there is an answer from a pcscd that stands still")
	case <-time.After(100 * time.Millisecond):
	}
	r.Signal(syscall.SIGCONT)
	if serial := <-done; serial != c.Serial() {
		t.Errorf("serial %d, want %d", serial, c.Serial())
	}
}

// A key that a fault pulled out makes room when it is removed.
func TestPulledByFault(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := r.Insert(card.New(card.Config{}))
	yk := open(t, k)
	k.Card.SetFault(func(context.Context, []byte, func([]byte) []byte) []byte { return nil })
	if _, err := yk.Serial(); err == nil {
		t.Error("a key that was pulled out answers")
	}
	yk.Close() // it would hold the reader
	<-k.Removed()
	k.Remove()
	c := card.New(card.Config{})
	if serial, err := open(t, r.InsertAt(0, c)).Serial(); err != nil || serial != c.Serial() {
		t.Errorf("serial %d, %v, want %d", serial, err, c.Serial())
	}
}
