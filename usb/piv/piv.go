// Package piv signs with the PIV keys of YubiKeys on this machine, through pcscd and
// go-piv. It says what a card has done, and judges nothing.
//
// It is for a process that does one thing and ends. go-piv holds a card exclusively,
// can't be cancelled, and does not always let go of what it opened; pcscd frees all of
// that, and resets the card, when the process is gone. So an operation returns when its
// context ends, whatever the card is doing, and the process has to end soon after.
//
// A PIN is sent once, and never again by itself. It is known before the card is opened:
// nobody else is locked out while a person types.
package piv

import (
	"errors"
	"fmt"
)

// State is what an operation waits for. Each is told when it begins, and not again
// while it lasts.
type State uint8

// Wanted says which key is meant, and how long to wait for it.
type Wanted struct {
	Serial uint32 // 0: the one that is plugged in
	// NoWait: a key that is not there now, or is held, is an error at once. Otherwise it
	// is waited for until the context ends.
	NoWait bool
	Say    func(State) // may be nil
}

// States.
const (
	// Absent: the key is not plugged in. What a foreign card is in does not count.
	Absent State = iota + 1
	// Busy: another program holds a key, which may be the one.
	Busy
	// Ready: the key has been found and taken.
	Ready
	// Touch: the key waits to be touched.
	Touch
	// MayTouch: the key may wait to be touched. It was perhaps touched in the last
	// 15 s, which is enough for its policy; or it does not tell its policy.
	MayTouch
)

// Errors. They are wrapped; what a person can do something about is told apart.
var (
	// ErrService: pcscd is not there, ended meanwhile, or polkit refuses us.
	ErrService = errors.New("the smart card service (pcscd) can't be used")
	ErrAbsent  = errors.New("the key is not plugged in")
	// ErrSeveral: it is not said which key is meant, and there are several.
	ErrSeveral = errors.New("several keys are plugged in")
	// ErrBusy: gpg's scdaemon, a browser or an SSH agent with PKCS#11 may do that, also
	// when they do nothing with the key.
	ErrBusy = errors.New("another program holds the key")
	// ErrRemoved: the key was pulled out after it got the PIN, or while it signed.
	ErrRemoved = errors.New("the key was pulled out")
	// ErrSilent: it does not answer, and not because it waits for a touch.
	ErrSilent   = errors.New("the key does not answer")
	ErrGarbled  = errors.New("the key does not answer as a YubiKey does")
	ErrEmpty    = errors.New("there is no key in the slot")
	ErrWrongKey = errors.New("there is another key in the slot")
	// ErrTouch: it was not touched as long as it waited, some 15 s.
	ErrTouch = errors.New("the key was not touched")

	ErrPINNeeded = errors.New("the key wants its PIN")
	// ErrLastTry: nothing was sent.
	ErrLastTry = errors.New("one more wrong PIN blocks the key")
	// ErrBlocked: only the PUK helps now.
	ErrBlocked = errors.New("the PIN is blocked")
)

// WrongPIN is a PIN that the key has refused. With the last try it is ErrBlocked, too.
type WrongPIN struct{ Left int }

func (e *WrongPIN) Error() string {
	switch e.Left {
	case 0:
		return "the PIN is wrong, and is blocked now"
	case 1:
		return "the PIN is wrong, and one try is left"
	}
	return fmt.Sprintf("the PIN is wrong, and %d tries are left", e.Left)
}

// Unwrap implements errors.Is.
func (e *WrongPIN) Unwrap() error {
	if e.Left == 0 {
		return ErrBlocked
	}
	return nil
}
