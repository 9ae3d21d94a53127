package otp

import (
	"context"
	"fmt"

	"github.com/factord/factord/usb/hid"
)

const (
	// ChallengeSize is a challenge, in bytes.
	ChallengeSize = 32
	// ResponseSize is its HMAC-SHA1, in bytes.
	ResponseSize = 20
)

// ChallengeResponse asks the key for the HMAC-SHA1 of a challenge under the secret of
// slot 1 or 2. onTouch is called when the key waits for a touch.
//
// A slot with the flag HMAC_LT64 drops the bytes at the end of its 64 that are equal to
// the last one, and one without it takes all 64. The padding is zeros, so the challenge
// must not end in one: then the first kind, which enrolment asks for, takes just the
// challenge.
func ChallengeResponse(ctx context.Context, f hid.Features, slot int, challenge [ChallengeSize]byte, onTouch func()) ([ResponseSize]byte, error) {
	response, err := challengeResponse(ctx, f, slot, challenge, onTouch)
	if err != nil {
		return [ResponseSize]byte{}, fmt.Errorf("asking slot %d: %w", slot, err)
	}
	return response, nil
}

func challengeResponse(ctx context.Context, f hid.Features, slot int, challenge [ChallengeSize]byte, onTouch func()) (response [ResponseSize]byte, err error) {
	var c command
	switch slot {
	case 1:
		c = hmacSlot1
	case 2:
		c = hmacSlot2
	default:
		return response, fmt.Errorf("a key has no slot %d", slot)
	}
	if challenge[ChallengeSize-1] == 0 {
		return response, ErrChallenge
	}
	e := exchange{features: f, onTouch: onTouch}
	status, err := e.status(ctx)
	switch {
	case err != nil:
		return response, err
	case status.Firmware.Less(Version{2, 2, 0}):
		return response, fmt.Errorf("%w: %v", ErrOld, status.Firmware)
	case !status.Slots[slot-1].Configured:
		return response, ErrEmpty
	}
	var payload [payloadSize]byte
	copy(payload[:], challenge[:])
	answer, err := e.command(ctx, c, payload)
	if err != nil {
		return response, err
	}
	defer clear(answer)
	digest, err := checked(answer, ResponseSize)
	if err != nil {
		return response, err
	}
	return [ResponseSize]byte(digest), nil
}
