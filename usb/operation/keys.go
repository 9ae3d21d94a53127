package operation

import (
	"context"
	"errors"
	"fmt"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/otp"
)

// maxKeys bounds a reply: more than any machine has ports.
const maxKeys = 64

// Keys implements usb.Operations. What can't be found out about a key is said beside
// what can.
func (m Machine) Keys(ctx context.Context, q agent.KeysRequest, t usb.Talk) (r agent.KeysReply, err error) {
	b, err := m.backend(q.Common)
	if err != nil {
		return r, err
	}
	r.Keys = []agent.Key{}
	all, err := b.Keys(ctx)
	switch {
	case errors.Is(err, hid.ErrAccess):
		r.Notes = append(r.Notes, err.Error())
	case err != nil:
		return r, failure(err)
	}
	for _, at := range all[:min(len(all), maxKeys)] {
		k := agent.Key{Port: at.Port, Name: at.Name, Vendor: at.Vendor, Product: at.Product}
		if err := m.describe(ctx, b, at, &k); err != nil {
			k.Note = err.Error()
		}
		r.Keys = append(r.Keys, k)
	}
	return r, ctx.Err()
}

// describe asks a key what it can do.
func (m Machine) describe(ctx context.Context, b hid.Backend, at hid.Key, k *agent.Key) error {
	unlock, err := m.lock(at.Port)
	if err != nil {
		return err
	}
	defer unlock()
	if at.OTP {
		err = describeOTP(ctx, b, at.Port, k)
	}
	return err
}

func describeOTP(ctx context.Context, b hid.Backend, port string, k *agent.Key) (err error) {
	f, err := features(ctx, b, port)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	status, err := otp.ReadStatus(ctx, f)
	if err != nil {
		return err
	}
	k.Firmware = status.Firmware.String()
	for i, s := range status.Slots {
		challenge := s.Configured && !s.Touch && !status.Firmware.Less(otp.Version{Major: 3})
		k.Slots = append(k.Slots, agent.Slot{Number: i + 1, Configured: s.Configured, Challenge: challenge})
	}
	if k.Serial, err = serial(ctx, f); err != nil {
		return fmt.Errorf("its serial number can't be read: %w", err)
	}
	return nil
}
