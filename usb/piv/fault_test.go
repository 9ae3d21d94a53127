package piv_test

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/usb/piv"
	"github.com/factord/factord/usb/virtual/card"
	"github.com/factord/factord/usb/virtual/reader"
)

// spoil changes the card's answers to a kind of command.
func (k *key) spoil(at func(apdu []byte) bool, with ...byte) {
	k.Card.SetFault(func(_ context.Context, apdu []byte, answer func([]byte) []byte) []byte {
		if at(apdu) {
			return slices.Clone(with)
		}
		return answer(apdu)
	})
}

func instruction(ins byte) func([]byte) bool {
	return func(apdu []byte) bool { return apdu[1] == ins }
}

// TestGarbage: whatever the card answers, it is an error, and the PIN is sent at most
// once.
func TestGarbage(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyAlways))
	answers := map[string][]byte{
		"nothing but 9000": {0x90, 0x00}, "one byte": {0x90}, "an error": {0x6f, 0x00}, "no length": {0x7c, 0x90, 0x00},
		"too long a length": {0x7c, 0x84, 0xff, 0xff, 0xff, 0xff, 0x90, 0x00}, "0": {0, 0, 0, 0, 0, 0x90, 0x00},
		"a length without end": {0x7c, 0x80, 0x90, 0x00}, "an empty response": {0x7c, 0x02, 0x82, 0x00, 0x90, 0x00},
		"61 and nothing more": {0x61, 0x00},
	}
	for name, ins := range map[string]byte{"version": 0xfd, "serial": 0xf8, "metadata": 0xf7, "signature": 0x87} {
		for what, answer := range answers {
			t.Run(name+" "+what, func(t *testing.T) {
				before := k.pins()
				k.spoil(instruction(ins), answer...)
				defer k.Card.SetFault(nil)
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				s, err := piv.Sign(ctx, k.request(pin))
				if err == nil {
					t.Errorf("signed %x", s.Bytes)
				}
				if k.pins() > before+1 {
					t.Error("the PIN was sent again")
				}
			})
		}
	}
	must(t, k.sign(t, k.request(pin)))
}

// TestOddStatus: VERIFY has been seen to answer otherwise than the standard says.
func TestOddStatus(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	for word, want := range map[string]int{"6302": 2, "63c0": 0, "6300": 0, "6983": 0} {
		b, _ := hex.DecodeString(word)
		k.spoil(verify, b...)
		var refused *piv.WrongPIN
		if err := k.sign(t, k.request(pin)); !errors.As(err, &refused) || refused.Left != want {
			t.Errorf("%s: %v, want %d left", word, err, want)
		}
	}
}

// TestSilent: a card that does not answer is given up, and let go of when it does.
func TestSilent(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	awake := make(chan struct{})
	k.Card.SetFault(func(_ context.Context, apdu []byte, answer func([]byte) []byte) []byte {
		if metadata(apdu) {
			<-awake
		}
		return answer(apdu)
	})
	wants(t, "silent", k.sign(t, k.request(pin)), piv.ErrSilent)
	close(awake)
	must(t, k.sign(t, k.request(pin)))
}

// TestEndless: go-piv reads on for ever where a card promises more for ever.
func TestEndless(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	k.spoil(func(apdu []byte) bool { return metadata(apdu) || apdu[1] == 0xc0 }, 0, 0x61, 0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := piv.Sign(ctx, k.request(pin))
	wants(t, "endless", err, context.DeadlineExceeded)
	k.Card.SetFault(nil)
	must(t, k.sign(t, k.request(pin)))
}

// TestKilled: with the process that signs, its hold on the key ends, and so does the
// PIN's being verified.
func TestKilled(t *testing.T) {
	const in = "FACTORD_TEST_SIGN"
	if spki := os.Getenv(in); spki != "" {
		signInChild(t, spki)
		return
	}
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{Serial: 7654321}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyAlways))
	asked, finger := make(chan struct{}), make(chan struct{})
	k.Card.SetTouch(func(context.Context, byte) bool { close(asked); <-finger; return true })
	child := exec.Command(os.Args[0], "-test.run", "^TestKilled$", "-test.timeout", patience.String())
	child.Env = append(os.Environ(), in+"="+hex.EncodeToString(k.public.SPKI()))
	var out strings.Builder
	child.Stdout, child.Stderr = &out, &out
	must(t, child.Start())
	select {
	case <-asked:
	case <-time.After(patience):
		t.Errorf("nobody is asked to touch: %s", out.String())
	}
	must(t, child.Process.Kill())
	child.Wait()
	close(finger)
	tries, err := piv.Retries(patient(t), k.wanted())
	if err != nil || tries != (piv.Tries{Left: 3}) {
		t.Errorf("afterwards: %+v, %v", tries, err)
	}
}

func signInChild(t *testing.T, spki string) {
	der, err := hex.DecodeString(spki)
	must(t, err)
	public, err := proof.ParseKey(der)
	must(t, err)
	_, err = piv.Sign(patient(t), piv.Request{Wanted: piv.Wanted{Serial: 7654321}, Slot: proof.Authentication, Key: public, Message: message(), PIN: []byte(pin)})
	t.Errorf("signed: %v", err)
}

// FuzzCard changes an answer of the card, other than to VERIFY, and the bytes of one
// command after it.
func FuzzCard(f *testing.F) {
	r := reader.New(f, reader.Config{})
	k := insert(f, r, card.Config{}, ec(gopiv.PINPolicyNever, gopiv.TouchPolicyNever))
	f.Add(uint8(0), []byte{0x6a, 0x82})
	f.Add(uint8(3), []byte{0x01, 0x01, 0x11, 0x02, 0x02, 0x01, 0x01, 0x90, 0x00})
	f.Add(uint8(4), []byte{0x53, 0x02, 0x70, 0x00, 0x90, 0x00})
	f.Add(uint8(5), []byte{0x7c, 0x04, 0x82, 0x02, 0x30, 0x00, 0x90, 0x00})
	f.Fuzz(func(t *testing.T, nth uint8, answer []byte) {
		if len(answer) < 2 || len(answer) > 258 {
			t.Skip()
		}
		n := nth % 8
		k.Card.SetFault(func(_ context.Context, apdu []byte, ask func([]byte) []byte) []byte {
			if apdu[1] == 0xa4 {
				return ask(apdu) // what fails here is never a key of ours
			}
			if n--; n == 255 {
				return answer
			}
			return ask(apdu)
		})
		defer k.Card.SetFault(nil)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		s, err := piv.Sign(ctx, k.request(""))
		if err == nil && k.public.Verify(message(), s.Bytes) != nil {
			t.Errorf("signed %x", s.Bytes)
		}
	})
}

// TestStays: a card that does not tell whether it has forgotten the PIN may not have.
func TestStays(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	for name, also := range map[string]func([]byte) bool{"signed": func([]byte) bool { return false }, "not signed": signing} {
		sent := false
		k.Card.SetFault(func(_ context.Context, apdu []byte, answer func([]byte) []byte) []byte {
			sent = sent || verify(apdu)
			if sent && (apdu[1] == 0x20 && !verify(apdu) || also(apdu)) {
				return []byte{0x6f, 0x00}
			}
			return answer(apdu)
		})
		if s, err := piv.Sign(patient(t), k.request(pin)); !s.Stays || (err != nil) != (name == "not signed") {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		k.Card.SetFault(nil)
	}
	must(t, k.sign(t, k.request(pin)))
}
