// Package otpkey is the OTP application of a YubiKey in software, for tests: what it
// answers in feature reports, and what it types. It is written apart from what it
// tests, after Yubico's public documents.
package otpkey

import (
	"sync"
	"time"
)

// Config is a key as its owner has programmed it.
type Config struct {
	Serial     uint32
	HideSerial bool    // over USB
	Version    Version // of the firmware; default 5.4.3
	Short      Slot    // slot 1, a short touch
	Long       Slot    // slot 2, a long one
	// TouchWait is how long a challenge waits for its touch; default 15 s.
	TouchWait time.Duration
	// Busy is how long the key takes nothing after each report; default none.
	Busy time.Duration
	// Reclaim is how long the application stays deaf after another one of the key has
	// been used, as in old firmware; default not at all.
	Reclaim time.Duration
	// Scan is the map of the keyboard, if it was changed (ykpersonalize -S).
	Scan ScanMap
}

// Version of the firmware.
type Version [3]uint8

// Slot is one of the two configurations. The zero value is an empty one.
type Slot struct {
	Types   Typist    // when touched
	Answers Responder // over USB
	// Touch: an answer has to be touched for.
	Touch bool
	Output
}

// empty: nothing is programmed.
func (s *Slot) empty() bool { return s.Types == nil && s.Answers == nil }

// Key is the application. Its methods are safe for concurrent use.
type Key struct {
	config Config

	mu       sync.Mutex
	frame    [frameSize]byte
	answer   []byte    // with its checksum; nil: nothing to say
	said     int       // reports of answer that have been read
	pending  func()    // waits for a touch
	deadline time.Time // of pending
	busy     time.Time // until then
	deaf     time.Time // until then
}

// New makes a key that has just got power.
func New(c Config) *Key {
	if c.Version == (Version{}) {
		c.Version = Version{5, 4, 3}
	}
	if c.TouchWait == 0 {
		c.TouchWait = 15 * time.Second
	}
	k := &Key{config: c}
	k.Plug()
	return k
}

// Plug gives the key power anew.
func (k *Key) Plug() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reset()
	k.busy, k.deaf = time.Time{}, time.Time{}
	for _, s := range []Slot{k.config.Short, k.config.Long} {
		if p, ok := s.Types.(interface{ plug() }); ok {
			p.plug()
		}
	}
}

// Serial is the key's number.
func (k *Key) Serial() uint32 { return k.config.Serial }

// Version is the firmware's.
func (k *Key) Version() Version { return k.config.Version }

// Elsewhere tells that another application of the key is in use.
func (k *Key) Elsewhere() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.config.Reclaim > 0 {
		k.reset()
		k.deaf = time.Now().Add(k.config.Reclaim)
	}
}

// Waiting: the key blinks, a challenge waits for a touch.
func (k *Key) Waiting() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.waiting()
}

// waiting also ends a wait whose time is over.
func (k *Key) waiting() bool {
	if k.pending != nil && !time.Now().Before(k.deadline) {
		k.reset()
	}
	return k.pending != nil
}

// Confirm is a touch of whatever length while the key blinks. It says whether the key
// did.
func (k *Key) Confirm() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.waiting() {
		return false
	}
	answer := k.pending
	k.pending = nil
	answer()
	return true
}

// Touch is a touch that is no confirmation. It returns the text that the slot types,
// and its keystrokes; both are empty if the slot has nothing to type.
func (k *Key) Touch(long bool) (string, []Stroke, error) {
	slot := &k.config.Short
	if long {
		slot = &k.config.Long
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if slot.Types == nil {
		return "", nil, nil
	}
	id, code := slot.Types.next()
	strokes, err := slot.Output.strokes(k.config.Scan, id, code)
	return id + code, strokes, err
}

// reset forgets what was asked and what was to be answered.
func (k *Key) reset() {
	k.frame, k.answer, k.said, k.pending = [frameSize]byte{}, nil, 0, nil
}
