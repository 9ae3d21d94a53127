package operation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/otp"
	"github.com/factord/factord/usb/piv"
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
			k.Note = wire.Printable(err.Error())
		}
		r.Keys = append(r.Keys, k)
	}
	if q.Cards && ctx.Err() == nil {
		addCards(ctx, &r)
	}
	if err := fit(&r); err != nil {
		return r, err
	}
	return r, ctx.Err()
}

// describe asks a key what it can do.
func (m Machine) describe(ctx context.Context, b hid.Backend, at hid.Key, k *agent.Key) error {
	unlock, err := m.lock(at.Port)
	if err != nil {
		return err
	}
	if at.OTP {
		err = describeOTP(ctx, b, at.Port, k)
	}
	unlock() // the FIDO interface is locked by itself
	if at.FIDO {
		err = errors.Join(err, m.describeFIDO(ctx, b, at, k))
	}
	return err
}

func (m Machine) describeFIDO(ctx context.Context, b hid.Backend, at hid.Key, k *agent.Key) error {
	t, err := m.openToken(ctx, b, at)
	if err != nil {
		return err
	}
	defer t.release()
	if !t.CTAP2() {
		k.FIDO = &agent.FIDO{Versions: []string{"U2F_V2"}}
		return nil
	}
	i := t.Info()
	k.FIDO = &agent.FIDO{Versions: versions(i.Versions), AAGUID: i.AAGUID, PINSet: i.PINSet(), UV: i.UV()}
	return nil
}

// Limits of the versions that a key says it has: of those there are "U2F_V2", "FIDO_2_0",
// "FIDO_2_1_PRE" and the like.
const (
	maxVersions = 8
	maxVersion  = 32 // bytes
)

// versions are those that can be ones. They are the key's own words, for a terminal.
func versions(all []string) []string {
	known := slices.DeleteFunc(slices.Clone(all), func(v string) bool {
		return len(v) > maxVersion || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' })
	})
	return known[:min(len(known), maxVersions)]
}

// fit leaves out what does not fit into a reply, from the last key on.
func fit(r *agent.KeysReply) error {
	for n := len(r.Keys) - 1; ; n-- {
		text, err := json.Marshal(r)
		if err != nil || len(text) < agent.MaxReply || n < 0 {
			return err
		}
		k := r.Keys[n]
		r.Keys[n] = agent.Key{Port: k.Port, Serial: k.Serial, Vendor: k.Vendor, Product: k.Product, Note: "too much to say of so many keys"}
	}
}

// addCards adds what the PIV applications of keys have.
func addCards(ctx context.Context, r *agent.KeysReply) {
	cards, skipped, err := piv.List(ctx)
	if err != nil {
		r.Notes = append(r.Notes, err.Error())
	}
	for _, s := range skipped {
		r.Notes = append(r.Notes, fmt.Sprintf("%q: %v", s.Reader, s.Err))
	}
	for _, c := range cards {
		name := wire.Printable(c.Reader)
		card := &agent.PIV{Reader: name, Tries: triesOf(c.Tries)}
		for _, s := range c.Slots {
			if s.Key != nil {
				card.Slots = append(card.Slots, slotOf(s))
			}
		}
		i := slices.IndexFunc(r.Keys, func(k agent.Key) bool { return k.Serial == c.Serial && c.Serial != 0 })
		if i < 0 { // of which nothing else was seen, or not its number
			r.Keys = append(r.Keys, agent.Key{Name: name, Serial: c.Serial, Firmware: c.Firmware.String()})
			i = len(r.Keys) - 1
		}
		r.Keys[i].Card = card
	}
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
