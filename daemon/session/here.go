package session

import (
	"cmp"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// What is particular about setting up a factor that asks keys which are plugged in here.

// here refuses to ask a key for somebody who does not sit where it is. Root may set up a
// key that is in a machine without a seat.
func (r *request) here(keeper factor.Keeper) error {
	if !isLocal(keeper) || r.trusted() {
		return nil
	}
	return r.sitsHere("a key that is plugged in here is set up only at this machine's own seat",
		"log in at the machine itself, or ask your administrator")
}

// sitsHere refuses who does not sit here, as in a login, with a text and a hint.
func (r *request) sitsHere(text, hint string) error {
	place, err := r.process.Place(r.ctx)
	if err != nil {
		r.Log.Error("finding out where a client is", "verb", r.verb, "uid", r.peer.UID, "error", err)
		place = Place{}
	}
	if place.seats(r.peer.UID) {
		return nil
	}
	return problemf(wire.ReasonNotPermitted, "%s\nhint: %s", text, cmp.Or(place.instead(r.peer.UID), hint))
}

// noPresence takes the wish for a record that does without a person.
func (r *request) noPresence(keeper factor.Keeper) (bool, error) {
	wished, err := r.args.TakeFlag("no-presence")
	switch {
	case err != nil || !wished:
		return false, err
	case !isLocal(keeper):
		return false, problemf(wire.ReasonProtocol, "%s has no \"no-presence\"\nhint: it is for keys that are plugged in here", keeper.Name())
	case !r.trusted():
		return false, problemf(wire.ReasonNotPermitted, "only root may enroll a key that asks for neither touch nor PIN")
	}
	return true, nil
}

// records are what a factor keeps for a user, and what it borrows, by factor.
func (r *request) records(user string, keeper factor.Keeper) (map[string][]factor.Record, error) {
	names := []string{keeper.Name()}
	if b, ok := keeper.(factor.Borrower); ok {
		names = append(names, b.Borrows()...)
	}
	all := map[string][]factor.Record{}
	err := r.Store.View(func(tx *store.Tx) (err error) {
		for _, name := range names {
			if all[name], err = tx.Scope(user, name).List(); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// say shows the person at once what to do while somebody outside is asked.
func (r *request) say(text string) {
	r.info(text)
	r.lines.Flush()
}
