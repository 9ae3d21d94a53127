// Package card is the smart card of a YubiKey in software, for tests: PIV as SP 800-73-4
// has it, Yubico's extensions of it, and so much of the other applets as PIV's clients
// look at. It stands for a key that nobody had to plug in, and does what no key does when
// it is asked: a touch that comes late, an answer of garbage, a forged attestation.
// Nothing of it is for a machine that anybody logs in to.
package card

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sync"
	"time"
)

// Version is that of a key's firmware. 4.3.5, 5.4.3 and 5.7.1 differ in what a client
// must know.
type Version [3]byte

// AtLeast reports whether the version is not older than major.minor.
func (v Version) AtLeast(major, minor byte) bool {
	return v[0] > major || v[0] == major && v[1] >= minor
}

// Touch waits for the finger that an operation with the key in a slot needs. It returns
// false when the key gave up waiting. ctx ends when the card loses its power.
type Touch func(ctx context.Context, slot byte) bool

// Fault stands between the reader and the card: what it returns is the answer, and nil is
// a key pulled out in mid-command. answer asks the card. ctx ends when the card loses its
// power.
type Fault func(ctx context.Context, apdu []byte, answer func(apdu []byte) []byte) []byte

// Config is what a card is made of. The zero value is a good start.
type Config struct {
	Serial  uint32  // one at random if 0
	Version Version // 5.4.3 if zero
	ATR     []byte  // a YubiKey 5's, or 4's, if nil
	// Authority signs the attestation key in slot F9; nil: one that nobody trusts, with
	// Yubico's names.
	Authority *Authority
	// Forge makes the answer to ATTEST; nil: f9.Attest(what), which is the truth.
	Forge func(f9 *Authority, what Attestation) (der []byte, err error)
	Touch Touch            // nil: the finger is always there
	Now   func() time.Time // time.Now if nil
}

// Exchange is a command and its answer; no answer is a key that was pulled out.
type Exchange struct{ Command, Answer []byte }

// traceLimit is how many exchanges a card remembers.
const traceLimit = 4096

// Card is a card with what it keeps when it has no power, and with what it does not. Its
// methods may be called from several goroutines.
type Card struct {
	config Config

	// busy is held while the card works on a command.
	busy    sync.Mutex
	memory  memory
	session session

	mu       sync.Mutex // guards what follows
	power    context.Context
	powerCut context.CancelFunc
	touch    Touch
	fault    Fault
	trace    []Exchange
}

// session is what a card forgets when it loses power, or when another applet is
// selected.
type session struct {
	applet applet
	chain  chain
	rest   []byte // of an answer, for GET RESPONSE

	pinVerified bool
	pinFresh    bool // and no key was used since
	managed     bool // the management key was proven
	// expected is the block that the host must show to prove the management key.
	expected []byte
	touched  time.Time // what a cached touch counts from
}

// New makes a card as it leaves the factory, without power.
func New(config Config) *Card {
	if config.Version == (Version{}) {
		config.Version = Version{5, 4, 3}
	}
	if config.Serial == 0 {
		var b [4]byte
		rand.Read(b[:])
		config.Serial = binary.BigEndian.Uint32(b[:])>>8 | 1
	}
	if config.ATR == nil {
		config.ATR = factoryATR(config.Version)
	}
	if config.Authority == nil {
		config.Authority = NewAuthority("Yubico PIV Root CA Serial 263751")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	c := &Card{config: config, touch: config.Touch}
	c.power, c.powerCut = context.WithCancel(context.Background())
	c.powerCut()
	c.memory = factoryMemory(config.Version)
	device := config.Authority.Intermediate("Yubico PIV Attestation")
	c.memory.keys[slotAttestation] = key{algorithm: algP256, private: device.Key, origin: originImported, pin: pinNever, touch: touchNever}
	c.memory.objects[objectAttestation] = certificateObject(device.Certificate.Raw)
	return c
}

// factoryATR offers T=1 and says what key it is.
func factoryATR(v Version) []byte {
	if !v.AtLeast(5, 0) {
		return []byte("\x3b\xf8\x13\x00\x00\x81\x31\xfe\x15Yubikey4\xd4")
	}
	return []byte("\x3b\xfd\x13\x00\x00\x81\x31\xfe\x15\x80\x73\xc0\x21\xc0\x57YubiKey\x40")
}

// Serial is the number on the key's back.
func (c *Card) Serial() uint32 { return c.config.Serial }

// ATR is what the card says of itself when it gets power.
func (c *Card) ATR() []byte { return slices.Clone(c.config.ATR) }

// SetTouch changes who touches the key.
func (c *Card) SetTouch(touch Touch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.touch = touch
}

// SetFault puts a fault between the reader and the card; nil takes it away.
func (c *Card) SetFault(fault Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = fault
}

// Trace returns the last exchanges, oldest first. PINs are in it.
func (c *Card) Trace() []Exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.trace)
}

// PowerOn gives the card power, anew if it has some, and returns its ATR.
func (c *Card) PowerOn() []byte {
	c.PowerOff()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.power, c.powerCut = context.WithCancel(context.Background())
	return c.ATR()
}

// PowerOff takes the card's power away: a wait for a touch ends, and what only a session
// knows is lost.
func (c *Card) PowerOff() {
	c.mu.Lock()
	c.powerCut()
	c.mu.Unlock()
	c.busy.Lock()
	defer c.busy.Unlock()
	c.session = session{}
}

// Transmit answers a command APDU. nil is no answer: the card has no power, or lost it
// meanwhile.
func (c *Card) Transmit(apdu []byte) []byte {
	c.busy.Lock()
	defer c.busy.Unlock()
	c.mu.Lock()
	ctx, fault := c.power, c.fault
	c.mu.Unlock()
	if ctx.Err() != nil {
		return nil
	}
	answer := func(apdu []byte) []byte { return c.answer(ctx, apdu) }
	var out []byte
	if fault != nil {
		out = fault(ctx, slices.Clone(apdu), answer)
	} else {
		out = answer(apdu)
	}
	if ctx.Err() != nil {
		out = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.trace) == traceLimit {
		c.trace = c.trace[1:]
	}
	c.trace = append(c.trace, Exchange{slices.Clone(apdu), slices.Clone(out)})
	return out
}
