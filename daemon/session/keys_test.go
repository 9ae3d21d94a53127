package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
)

// serials is a factor whose records are the serial numbers of keys.
type serials struct{}

func (serials) Name() string { return "hmac" }
func (serials) Offer(context.Context, factor.Login) (factor.Offer, error) {
	return factor.Offer{}, nil
}
func (serials) Verify(context.Context, factor.Login, factor.Secret) (factor.Claim, error) {
	return factor.Claim{}, factor.ErrNotMine
}
func (serials) Describe(r factor.Record) (factor.Item, error) {
	return factor.Item{ID: r.ID, Factor: "hmac", Kind: "hmac", Name: "my key", Detail: map[string]string{"serial": string(r.Value)}}, nil
}

const (
	keyOfBoth = `{"port":"1-1","serial":7,"name":"YubiKey","vendor":4176,"product":1031`
	keyOfNone = `{"port":"1-2","name":"Token","vendor":0,"product":0}`
)

// Root hears whose the keys are, others which are theirs, and only who sits here hears
// anything.
func TestKeysPlugged(t *testing.T) {
	factordtest.NeedRoot(t) // it connects as other uids
	places := factordtest.Places(func(uid uint32) (session.Place, error) {
		switch uid {
		case 1001:
			return session.Place{Session: "c1", Owner: 1001, Local: policy.Yes, Alone: true}, nil
		case 1002:
			return session.Place{Session: "c2", Local: policy.No}, nil
		}
		return session.Place{}, errors.New("no logind")
	})
	var failed error
	d := factordtest.NewDaemon(t, factordtest.Options{Places: places, Factors: []factor.Factor{serials{}},
		Plugged: func(context.Context, string) (agent.KeysReply, error) {
			return agent.KeysReply{Keys: []agent.Key{{Port: "1-1", Serial: 7, Name: "YubiKey", Vendor: 0x1050, Product: 0x0407}, {Port: "1-2", Name: "Token"}},
				Notes: []string{"no pcscd"}}, failed
		}})
	for _, user := range []string{"alice", "bob"} {
		err := d.Store.Update(context.Background(), func(tx *store.Tx) error {
			uid := map[string]uint32{"alice": 1001, "bob": 1002}[user]
			return errors.Join(tx.PutUser(user, store.User{UID: uid}), tx.Scope(user, "hmac").Put("hmac-1", []byte("7")))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		uid  int
		want string
	}{
		{-1, `{"keys":[` + keyOfBoth + `,"enrolled":[{"user":"alice","id":"hmac-1","factor":"hmac","name":"my key"},{"user":"bob","id":"hmac-1","factor":"hmac","name":"my key"}]},` + keyOfNone + `],"notes":["no pcscd"]}`},
		{1001, `{"keys":[` + keyOfBoth + `,"enrolled":[{"user":"alice","id":"hmac-1","factor":"hmac","name":"my key"}]},` + keyOfNone + `],"notes":["no pcscd"]}`},
		{1002, "only who sits at this machine"},
		{65534, "only who sits at this machine"},
	} {
		lines, err := factordtest.Call(d.Socket, tc.uid, wire.VerbKeys)
		if got := strings.Join(lines, "\n"); got != tc.want && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("uid %d hears %s, %v; want %s", tc.uid, got, err, tc.want)
		}
	}
	if _, err := factordtest.Call(d.Socket, -1, wire.VerbKeys+" x=1"); err == nil || !strings.Contains(err.Error(), "unknown key") {
		t.Errorf("an argument: %v", err)
	}
	failed = &factor.Outage{Text: "out", Err: errors.New("no factord-usb\nhint: install it")}
	for uid, want := range map[int]string{-1: "hint: install it", 1001: "the log says why"} {
		if _, err := factordtest.Call(d.Socket, uid, wire.VerbKeys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("uid %d: %v; want %q", uid, err, want)
		}
	}
}

// To look at keys starts a process each time: a user may do so now and then, and does it
// in their own name, while root is not kept from it.
func TestLooksAreCounted(t *testing.T) {
	factordtest.NeedRoot(t) // it connects as another uid
	asked := make(chan string, 200)
	d := factordtest.NewDaemon(t, factordtest.Options{
		Places: at(session.Place{Session: "1", Owner: 1001, Local: policy.Yes, Alone: true}),
		Plugged: func(_ context.Context, user string) (agent.KeysReply, error) {
			asked <- user
			return agent.KeysReply{}, nil
		}})
	look := func(uid int) error {
		_, err := factordtest.Call(d.Socket, uid, wire.VerbKeys)
		return err
	}
	const most = 60 // of a uid in a minute
	for n := range most + 5 {
		switch err := look(1001); {
		case n < most && err != nil:
			t.Fatalf("look %d: %v", n, err)
		case n >= most && (err == nil || !strings.Contains(err.Error(), "wait a minute")):
			t.Fatalf("look %d: %v", n, err)
		}
	}
	if len(asked) != most {
		t.Errorf("%d looks", len(asked))
	}
	for len(asked) > 0 {
		if user := <-asked; user != "alice" {
			t.Fatalf("a look in the name of %q", user)
		}
	}
	for range most + 5 {
		if err := look(-1); err != nil {
			t.Fatalf("root: %v", err)
		}
		if user := <-asked; user != "" {
			t.Fatalf("root looks in the name of %q", user)
		}
	}
	d.Clock.Add(time.Minute)
	if err := look(1001); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}
