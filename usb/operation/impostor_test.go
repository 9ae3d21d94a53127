package operation

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb/virtual/fido"
)

// Commands of CTAP2.
const (
	getAssertion = 0x02
	clientPIN    = 0x06
)

// claiming says yes to whatever credential is looked for, as a device does that wants to be
// shown the PIN.
func claiming(t *testing.T, id []byte) func(request, answer []byte) []byte {
	rp := sha256.Sum256([]byte(rpID))
	yes, err := cbor.Marshal(map[int]any{
		1: map[string]any{"id": id, "type": "public-key"},
		2: slices.Concat(rp[:], make([]byte, 5)),
		3: bytes.Repeat([]byte{1}, 64),
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(request, answer []byte) []byte {
		switch request[0] {
		case getAssertion:
			return append([]byte{0}, yes...)
		case clientPIN:
			t.Error("the impostor is spoken with of a PIN")
		}
		return answer
	}
}

// touchMe is what U2F says for a key handle of its own.
func touchMe(_, _ []byte) []byte { return []byte{0x69, 0x85} }

// A device that claims the credential is neither shown the PIN nor asked instead of the key
// that has it.
func TestImpostor(t *testing.T) {
	ts := newTokens()
	ts.plug("1-2", fido.New(fido.Options{PIN: "123456"}))
	id, _ := enrol(t, ts, agent.CreateRequest{NeedsPIN: true}, "123456")
	for name, o := range map[string]fido.Options{
		"CTAP2": {PIN: "111111", Answer: claiming(t, id.ID)},
		"U2F":   {NoCTAP2: true, Answer: touchMe},
	} {
		ts.plug("1-1", fido.New(o)) // it is looked at first
		q := agent.AssertRequest{NeedsPIN: true, Credentials: []agent.Credential{id}}
		_, done, reply := asserting(t, ts, q, "123456")
		if err := <-done; err != nil || reply.Port != "1-2" {
			t.Errorf("%s: %v, %+v", name, err, reply)
		}
		q.Find = true
		_, done, reply = asserting(t, ts, q, "")
		if err := <-done; err != nil || reply.Port != "1-2" || !bytes.Equal(reply.Credential, id.ID) {
			t.Errorf("%s: looked for: %v, %+v", name, err, reply)
		}
	}
}

// Alone it is not asked either.
func TestImpostorAlone(t *testing.T) {
	ts := newTokens()
	ts.plug("1-2", fido.New(fido.Options{}))
	id, _ := enrol(t, ts, agent.CreateRequest{}, "")
	ts.unplug("1-2")
	ts.plug("1-1", fido.New(fido.Options{PIN: "111111", Answer: claiming(t, id.ID)}))
	q := agent.AssertRequest{Common: waits(time.Second), NeedsPIN: true, Credentials: []agent.Credential{id}}
	_, done, _ := asserting(t, ts, q, "123456")
	if err := <-done; codeIn(err) != agent.Garbled {
		t.Error(err)
	}
	q.Credentials[0].Public = nil
	_, done, _ = asserting(t, ts, q, "123456")
	if err := <-done; codeIn(err) != agent.Protocol {
		t.Errorf("without a public key: %v", err)
	}
}
