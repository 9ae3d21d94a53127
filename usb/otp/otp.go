// Package otp speaks with the OTP application of a YubiKey: it reads what the key types
// when it is touched, and has it answer challenges through feature reports. What it
// returns is evidence: it knows no secret and judges nothing.
//
// The feature reports can also program a key, and a program that has gone wrong could
// do away with somebody's second factor. So the commands that may be sent are a closed
// list, and none of them changes anything.
//
// The protocol is that of Yubico's yubikey-manager and yubikey-personalization.
package otp

import "errors"

// Errors. They are wrapped; those of package hid come through as they are.
var (
	// ErrRejected: the key refuses the command. Without a cause that the status
	// shows, the slot does something else than was asked for.
	ErrRejected = errors.New("the key refuses the command")
	// ErrEmpty: nothing is programmed in the slot.
	ErrEmpty = errors.New("nothing is programmed in the slot")
	// ErrTouch: the key waited for a touch, and gave up.
	ErrTouch = errors.New("the key was not touched in time")
	// ErrOld: the key's firmware can't do that.
	ErrOld = errors.New("the key's firmware is too old")
	// ErrNoSerial: the key keeps its serial number to itself.
	ErrNoSerial = errors.New("the key does not show its serial number")
	// ErrStuck: the key doesn't get ready, or doesn't answer.
	ErrStuck = errors.New("the key does not get ready")
	// ErrGarbled: what the key answered is not what the protocol has.
	ErrGarbled = errors.New("the key's answer is garbled")
	// ErrChallenge: the challenge can't be sent; see ChallengeResponse.
	ErrChallenge = errors.New("the challenge can't be sent unchanged")
)
