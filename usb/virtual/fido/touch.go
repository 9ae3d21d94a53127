package fido

import (
	"context"
	"time"
)

// Never is a touch that does not come.
func Never(ctx context.Context) bool {
	<-ctx.Done()
	return false
}

// Deny is a person who says no.
func Deny(context.Context) bool { return false }

// After is a touch that comes after a while.
func After(d time.Duration) func(context.Context) bool {
	return func(ctx context.Context) bool {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(d):
			return true
		}
	}
}

// Button is a touch that a test gives when it is ready.
type Button struct {
	asked   chan struct{}
	pressed chan bool
}

// NewButton makes one.
func NewButton() *Button {
	return &Button{asked: make(chan struct{}, 100), pressed: make(chan bool)}
}

// Touch is for Options.
func (b *Button) Touch(ctx context.Context) bool {
	select {
	case b.asked <- struct{}{}:
	default:
	}
	select {
	case <-ctx.Done():
		return false
	case yes := <-b.pressed:
		return yes
	}
}

// Asked has a value for each time that the key began to blink.
func (b *Button) Asked() <-chan struct{} { return b.asked }

// Press touches the blinking key; it waits until it blinks. No is a refusal.
func (b *Button) Press(ctx context.Context, yes bool) bool {
	select {
	case <-ctx.Done():
		return false
	case b.pressed <- yes:
		return true
	}
}
