// Package fido is a FIDO2 security key in software, for tests: CTAP 2.1 and U2F over
// 64-byte frames, written apart from the client that it tests. How the frames travel
// is for others: a pseudo-terminal, USB/IP, a pipe in one process. It keeps its
// secrets in memory and says yes to whoever asks: nothing of it is for a machine that
// anybody logs in to.
//
// Pages are those of "Client to Authenticator Protocol (CTAP)", Proposed Standard of
// June 2021.
package fido

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// FrameSize is a report of the FIDO interface, without its report id.
const FrameSize = 64

// Frame is one report.
type Frame = [FrameSize]byte

// Options say what kind of key it is, and how it behaves. The zero value is a key
// with ES256 and EdDSA, without a PIN, that is touched at once.
type Options struct {
	// Touch waits for a touch and says whether there was one; false is a no. It returns
	// when its context ends. Nil: at once.
	Touch func(context.Context) bool
	// TouchTimeout is how long the key blinks; 0: 30 seconds.
	TouchTimeout time.Duration
	// Verify is a fingerprint reader, which works like Touch. Nil: the key has none.
	Verify func(context.Context) bool
	// Count is the signature counter's next value; nil: one more.
	Count func(last uint32) uint32

	// PIN is set from the start, if it is not empty.
	PIN string
	// Protocols are those of clientPIN in the order of preference; nil: 2 and 1.
	Protocols []uint
	// Old: CTAP 2.0, which knows no permissions.
	Old bool
	// AlwaysUV: nothing goes without PIN or fingerprint, not even a silent look.
	AlwaysUV bool
	// NoCTAP2 and NoU2F leave out one of the two.
	NoCTAP2, NoU2F bool
	// NoES256: credentials are of EdDSA.
	NoES256 bool
	// Protect is credProtect's level of new credentials for which none is asked (12.1).
	Protect int
	// Attestation is what comes with a new credential.
	Attestation Attestation
	// OmitCredential: an assertion doesn't repeat the one credential it was asked for.
	OmitCredential bool
	// MaxMsgSize is the longest message; 0: 1200 bytes.
	MaxMsgSize int

	// Frames changes the frames of every message to the host, KEEPALIVE too. Nil: none.
	Frames func(frames []Frame) []Frame
	// Answer changes what the key answers to a CBOR or MSG request. Nil: nothing.
	Answer func(request, answer []byte) []byte
}

// Attestation is what a key says of itself when it makes a credential.
type Attestation uint8

// Kinds of attestation.
const (
	SelfAttestation  Attestation = iota // signed by the new key itself
	BasicAttestation                    // signed by a key that a certificate names
	NoAttestation
)

// AAGUID names this model.
var AAGUID = [16]byte{'f', 'a', 'c', 't', 'o', 'r', 'd', ' ', 't', 'e', 's', 't', ' ', 'k', 'e', 'y'}

// Limits of PIN and fingerprint (6.5.2.2 and 6.5.2.3).
const (
	maxPINRetries = 8
	maxUVRetries  = 3
	maxInARow     = 3 // wrong PINs, then the key wants to be plugged in again
)

// Key is a security key with what it remembers without power.
type Key struct {
	turn sync.Mutex // held while a command runs

	credentials []*credential // the newest last
	pinHash     []byte        // LEFT(SHA-256(PIN), 16); nil: none is set
	pinRetries  int
	uvRetries   int
	count       uint32

	mu      sync.Mutex
	options Options
}

// New makes a key.
func New(o Options) *Key {
	k := &Key{options: o, pinRetries: maxPINRetries, uvRetries: maxUVRetries}
	if o.PIN != "" {
		sum := sha256.Sum256([]byte(o.PIN))
		k.pinHash = sum[:16]
	}
	return k
}

// Change changes how the key behaves from the next command on.
func (k *Key) Change(change func(*Options)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(&k.options)
}

func (k *Key) now() Options {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.options
}

// Plug gives the key power. Frames to the host go to send, one at a time and from
// several goroutines. A key is plugged in once at a time.
func (k *Key) Plug(send func(Frame)) *Port {
	p := &Port{key: k, send: send}
	p.ctx, p.unplug = context.WithCancel(context.Background())
	p.pin = newPINSession()
	return p
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
