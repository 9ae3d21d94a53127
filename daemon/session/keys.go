package session

import (
	"context"
	"errors"
	"strconv"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
)

// Plugged finds out what is plugged in here, in the name of a user; empty is root's.
type Plugged func(ctx context.Context, user string) (agent.KeysReply, error)

// plugged is a key with those who have enrolled it.
type plugged struct {
	agent.Key
	Enrolled []holder `json:"enrolled,omitempty"`
}

// holder is a record that rests on a key.
type holder struct {
	User   string `json:"user"`
	ID     string `json:"id"`
	Factor string `json:"factor"`
	Name   string `json:"name,omitempty"`
}

// keys answers with what is plugged in, and whose it is: root hears everybody's, others
// their own, and only who sits here hears anything.
func (r *request) keys() (any, error) {
	if err := r.done(); err != nil {
		return nil, err
	}
	var asker Identity // the zero value is root's
	if !r.trusted() {
		err := r.sitsHere("only who sits at this machine, and root, may see which keys are plugged in", "log in at the machine itself")
		if err != nil {
			return nil, err
		}
		if asker, err = r.subject(); err != nil {
			return nil, err
		}
	}
	if r.Plugged == nil {
		return nil, problemf(wire.ReasonUnavailable, "this factord has no way to the keys that are plugged in here")
	}
	if !r.asks.take(r.peer.UID, r.Clock()) { // each look may start a process
		return nil, problemf(wire.ReasonRateLimited, "too many looks at the keys: %s", adviceTooMany)
	}
	watched, stop := r.watch(r.ctx)
	there, err := r.Plugged(watched, asker.Name)
	if gone := stop(); gone != nil {
		return nil, gone
	}
	if err != nil {
		return nil, r.noKeys(err)
	}
	owned, err := r.enrolled(asker)
	if err != nil {
		return nil, err
	}
	reply := struct {
		Keys  []plugged `json:"keys"`
		Notes []string  `json:"notes,omitempty"`
	}{[]plugged{}, there.Notes}
	for _, k := range there.Keys {
		reply.Keys = append(reply.Keys, plugged{k, owned[k.Serial]})
	}
	return reply, nil
}

// noKeys is why nothing is known of the keys; root is told all of it.
func (r *request) noKeys(err error) error {
	r.Log.Error("looking for keys", "error", err)
	var known *agent.Error
	var outage *factor.Outage
	if !r.trusted() || !errors.As(err, &known) && !errors.As(err, &outage) {
		return problemf(wire.ReasonUnavailable, "the keys that are plugged in here can't be looked at: the log says why")
	}
	return problemf(wire.ReasonUnavailable, "%s", err)
}

// enrolled are the records that the asker may see, by the serial number of their keys.
func (r *request) enrolled(asker Identity) (map[uint32][]holder, error) {
	owned := map[uint32][]holder{}
	add := func(tx *store.Tx, user string) error {
		items, err := r.describe(tx, user, nil)
		for _, it := range items {
			if n, bad := strconv.ParseUint(it.Detail["serial"], 10, 32); bad == nil && n != 0 {
				owned[uint32(n)] = append(owned[uint32(n)], holder{user, it.ID, it.Factor, it.Name})
			}
		}
		return err
	}
	if r.peer.UID == 0 {
		return owned, r.Store.View(func(tx *store.Tx) error {
			return tx.Users(func(name string) error { return add(tx, name) })
		})
	}
	return owned, r.Store.View(func(tx *store.Tx) error {
		if err := r.sameAccount(tx, asker); err != nil {
			return err
		}
		return add(tx, asker.Name)
	})
}
