package device

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/usbtest"
)

// A user who waits for many keys that are not there keeps nobody else from theirs, and has
// a turn again when one is given up.
func TestUserWithManyKeys(t *testing.T) {
	b := broker(t, usbtest.Keys{OnHMAC: func(ctx context.Context, q agent.HMACRequest, talk usb.Talk) (agent.HMACReply, error) {
		if q.Serial == 1 {
			return agent.HMACReply{Answer: q.Challenge}, nil
		}
		talk.State(agent.Absent)
		<-ctx.Done()
		return agent.HMACReply{}, ctx.Err()
	}})
	said := newSteps()
	ask := func(ctx context.Context, user string, serial uint32) error {
		name := fmt.Sprint(serial)
		return b.Do(ctx, key.Job{Verb: agent.HMAC, Queue: name, User: user, Say: said.of(name), Reply: &agent.HMACReply{},
			Request: &agent.HMACRequest{Serial: serial, Slot: 2, Challenge: []byte{1}}})
	}
	greedy := make(chan error)
	ctx, cancel := context.WithCancel(context30(t))
	for n := range uint32(2 * maxOperations) {
		go func() { greedy <- ask(ctx, "mallory", 100+n) }()
	}
	await(t, "all of them wait", func() bool {
		b.slots.mu.Lock()
		defer b.slots.mu.Unlock()
		return b.slots.all == maxOfUser && len(b.slots.waiting) == 2*maxOperations-maxOfUser
	})
	if err := ask(context30(t), "alice", 1); err != nil {
		t.Error(err)
	}
	cancel()
	for range 2 * maxOperations {
		if err := <-greedy; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if err := ask(context30(t), "mallory", 1); err != nil {
		t.Error(err)
	}
	if b.slots.all != 0 || len(b.slots.taken) != 0 || len(b.slots.waiting) != 0 {
		t.Errorf("left behind: %+v", b.slots.taken)
	}
}

// Looks at all keys take their user's places, and leave root's.
func TestUserWhoLooks(t *testing.T) {
	var hang atomic.Bool
	hang.Store(true)
	b := broker(t, usbtest.Keys{OnKeys: func(ctx context.Context, _ agent.KeysRequest, _ usb.Talk) (agent.KeysReply, error) {
		if hang.Load() {
			<-ctx.Done()
		}
		return agent.KeysReply{}, ctx.Err()
	}})
	look := func(ctx context.Context, user string) error {
		return b.Do(ctx, key.Job{Verb: agent.Keys, User: user, Request: &agent.KeysRequest{Cards: true}, Reply: &agent.KeysReply{}, Wait: -1})
	}
	ended := make(chan error)
	ctx, cancel := context.WithCancel(context30(t))
	for range 2 * maxOperations {
		go func() { ended <- look(ctx, "mallory") }()
	}
	await(t, "all of them wait", func() bool {
		b.slots.mu.Lock()
		defer b.slots.mu.Unlock()
		return b.slots.all == maxOfUser && len(b.slots.waiting) == 2*maxOperations-maxOfUser && b.slots.taken["mallory"] == maxOfUser
	})
	hang.Store(false)
	if err := look(context30(t), ""); err != nil {
		t.Errorf("root: %v", err)
	}
	cancel()
	for range 2 * maxOperations {
		<-ended
	}
}
