package operation

import (
	"context"
	"errors"
	"testing"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb/virtual/card"
	"github.com/factord/factord/usb/virtual/reader"
)

// generate makes a key in slot 9a.
func generate(t *testing.T, k *reader.Key) {
	t.Helper()
	yk, err := gopiv.Open(k.Reader)
	if err != nil {
		t.Fatal(err)
	}
	defer yk.Close()
	kind := gopiv.Key{Algorithm: gopiv.AlgorithmEC256, PINPolicy: gopiv.PINPolicyOnce, TouchPolicy: gopiv.TouchPolicyNever}
	if _, err := yk.GenerateKey(gopiv.DefaultManagementKey, gopiv.SlotAuthentication, kind); err != nil {
		t.Fatal(err)
	}
}

// The whole way of a PIV key: what it is, a signature with its PIN, a wrong PIN, and what
// is waited for in vain.
func TestCard(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := r.Insert(card.New(card.Config{Serial: 77}))
	generate(t, k)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	b := Machine{Hidraw: newBench()}

	told, err := b.Card(ctx, agent.CardRequest{Slot: "9a"}, &talk{})
	if err != nil || told.Serial != 77 || told.Slot != "9a" || told.Tries != 3 || told.PIN != "once" || told.Touch != "never" || len(told.Attestation) == 0 || told.Reader == "" {
		t.Fatalf("%+v, %v", told, err)
	}
	if left, err := b.Card(ctx, agent.CardRequest{Serial: 77, Slot: "9a", Tries: true}, &talk{}); err != nil || left.Serial != 77 || left.Tries != 3 || left.Public != nil {
		t.Errorf("tries: %+v, %v", left, err)
	}
	public, err := proof.ParseKey(told.Public)
	if err != nil {
		t.Fatal(err)
	}
	q := agent.SignRequest{Common: waits(limit / 2), Serial: 77, Slot: "9a", Public: told.Public, Message: []byte("a login"), NeedsPIN: true}
	said := &talk{pin: "123456"}
	signed, err := b.Sign(ctx, q, said)
	if err == nil {
		err = public.Verify(q.Message, signed.Signature)
	}
	if err != nil || said.now() != agent.Ready {
		t.Errorf("%v: %v", said.states, err)
	}
	for _, tc := range []struct {
		name, pin string
		change    func(*agent.SignRequest)
		want      agent.Error
	}{
		{"wrong PIN", "111111", func(*agent.SignRequest) {}, agent.Error{Code: agent.WrongPIN, Tries: 2}},
		{"short PIN", "1", func(*agent.SignRequest) {}, agent.Error{Code: agent.PINLength}},
		{"no PIN", "", func(q *agent.SignRequest) { q.NeedsPIN = false }, agent.Error{Code: agent.PINNeeded}},
		{"another slot", "123456", func(q *agent.SignRequest) { q.Slot = "9c" }, agent.Error{Code: agent.WrongKey}},
		{"another key", "123456", func(q *agent.SignRequest) { q.Serial, q.Wait = 78, 500 }, agent.Error{Code: agent.Gone}},
		{"not waited for", "123456", func(q *agent.SignRequest) { q.Serial, q.Wait = 78, 0 }, agent.Error{Code: agent.Gone}},
		{"second wrong PIN", "111111", func(*agent.SignRequest) {}, agent.Error{Code: agent.WrongPIN, Tries: 1}},
		{"last try", "111111", func(*agent.SignRequest) {}, agent.Error{Code: agent.LastTry, Tries: 1}},
		{"last try, wished", "111111", func(q *agent.SignRequest) { q.LastTry = true }, agent.Error{Code: agent.Blocked}},
	} {
		q := q
		tc.change(&q)
		_, err := b.Sign(ctx, q, &talk{pin: tc.pin})
		var e *agent.Error
		if !errors.As(err, &e) || e.Code != tc.want.Code || e.Tries != tc.want.Tries {
			t.Errorf("%s: %v; want code %d and %d tries", tc.name, err, tc.want.Code, tc.want.Tries)
		}
	}
	if _, err := b.Card(ctx, agent.CardRequest{Serial: 77, Slot: "9a", Tries: true}, &talk{}); codeIn(err) != agent.Blocked {
		t.Errorf("tries of a blocked PIN: %v", err)
	}
	if _, err := b.Card(ctx, agent.CardRequest{Serial: 78, Slot: "9a", Tries: true}, &talk{}); codeIn(err) != agent.Gone {
		t.Errorf("tries of a card that is not there: %v", err)
	}
	all, err := b.Keys(ctx, agent.KeysRequest{Cards: true}, &talk{})
	if err != nil || len(all.Keys) != 1 || all.Keys[0].Serial != 77 || all.Keys[0].Card == nil || all.Keys[0].Card.Tries != 0 ||
		len(all.Keys[0].Card.Slots) != 1 || all.Keys[0].Card.Slots[0].Algorithm != "P-256" {
		t.Errorf("%+v, %v", all, err)
	}
	k.Remove()
	if _, err := b.Card(ctx, agent.CardRequest{Slot: "9a"}, &talk{}); codeIn(err) != agent.Gone {
		t.Errorf("removed: %v", err)
	}
}
