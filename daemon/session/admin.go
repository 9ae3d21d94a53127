package session

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// How long root's codes hold when nothing else is said.
const (
	bypassTime = time.Hour
	inviteTime = 24 * time.Hour
)

// remove deletes one record.
func (r *request) remove() (any, error) {
	recordID := r.args.Take("id")
	id, err := r.subject()
	if err != nil {
		return nil, err
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	holder, err := r.holder(id.Name, recordID)
	if err != nil {
		return nil, err
	}
	l, err := r.authorise(id)
	if err != nil {
		return nil, err
	}
	defer l.invite.Wipe()
	left := 0
	err = r.updateSaying(id.Name, store.Event{Factor: holder, ID: recordID}, func(tx *store.Tx) (log string, err error) {
		if err := r.use(tx, id, l); err != nil {
			return "", err
		}
		log = r.called(tx, id.Name, holder, recordID)
		left = len(slices.DeleteFunc(factorsOf(tx, id.Name), func(id string) bool { return id == recordID }))
		_, err = tx.Forget(id.Name)
		return log, errors.Join(err, tx.Scope(id.Name, holder).Delete(recordID))
	})
	return map[string]any{"removed": recordID, "user": id.Name, "left": left, "elsewhere": r.elsewhere()}, err
}

// factorsOf are the ids of what a user can prove, without what root gives for once.
func factorsOf(tx *store.Tx, user string) (ids []string) {
	for _, key := range tx.Keys(user) {
		if key[0] != bypassName && key[0] != inviteScope {
			ids = append(ids, key[1])
		}
	}
	return ids
}

// holder returns the factor that keeps the record with the given id.
func (r *request) holder(user, id string) (name string, err error) {
	err = r.Store.View(func(tx *store.Tx) error {
		for _, key := range tx.Keys(user) { // a damaged one can be removed too
			if key[1] == id {
				name = key[0]
			}
		}
		return nil
	})
	if err == nil && name == "" {
		err = problemf(wire.ReasonDenied, "%s has no %q\nhint: factorctl list shows the ids", user, id)
	}
	return name, err
}

// unlock ends all waits of a user and confirms the uid the account has now, and
// what is left of a damaged entry or damaged records.
func (r *request) unlock() (any, error) {
	id, err := r.subject()
	if err != nil {
		return nil, err
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	reply := map[string]any{"unlocked": id.Name, "uid": id.UID}
	err = r.updateSaying(id.Name, store.Event{}, func(tx *store.Tx) (string, error) {
		log := ""
		user, found, err := tx.User(id.Name)
		if err != nil { // damaged: what root says now holds
			r.Log.Error("making a new entry for a damaged one", "user", id.Name, "error", err)
			user, found = store.User{UID: id.UID, Records: -1, Tombstone: true, Created: r.Clock().UTC()}, true
		}
		if found && user.UID != id.UID {
			reply["uid_was"] = user.UID
			log = fmt.Sprintf("uid was %d, and is confirmed as %d", user.UID, id.UID)
		}
		if records := len(tx.Keys(id.Name)); found && (user.UID != id.UID || user.Records != records) {
			user.UID, user.Records = id.UID, records
			if err := tx.PutUser(id.Name, user); err != nil {
				return "", err
			}
		}
		if _, err := forgetAll(tx, id); err != nil { // what is remembered was the other account's
			return "", err
		}
		other, err := tx.NameOf(id.UID) // of an alias, the name that counts
		if err != nil {
			return "", err
		}
		return log, errors.Join(r.forgive(tx, id.Name), r.forgive(tx, other))
	})
	return reply, err
}

// forgive clears what wrong answers have cost a user, and what the factors hold
// against them.
func (r *request) forgive(tx *store.Tx, name string) error {
	err := tx.ClearBudget(name)
	for _, f := range r.Factors {
		err = errors.Join(err, r.scope(tx, name, f.Name()).PutNote(nil))
	}
	return err
}

// bypass makes a code that lets a user in once.
func (r *request) bypass() (any, error) { return r.grant(r.Bypass, bypassName, bypassTime) }

// invite makes a code with which a user without a factor may enrol once. Who has one
// has to prove that instead, as the reply says.
func (r *request) invite() (any, error) { return r.grant(r.Invite, inviteScope, inviteTime) }

func (r *request) grant(granter Granter, scope string, d time.Duration) (any, error) {
	id, err := r.subject()
	if err != nil {
		return nil, err
	}
	if text := r.args.Take("for"); text != "" {
		if d, err = time.ParseDuration(text); err != nil || d <= 0 {
			return nil, problemf(wire.ReasonProtocol, "not a duration: %q\nhint: 30m, 1h, 24h", text)
		}
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	var code string
	var has []string
	now := r.Clock()
	err = r.update(id.Name, store.Event{Log: "valid for " + d.String()}, func(tx *store.Tx) (err error) {
		if err := r.admit(tx, id, false); err != nil {
			return err
		}
		if code, err = granter.Grant(tx.Scope(id.Name, scope), now, tx.Highest(), d); err != nil {
			return problemf(wire.ReasonDenied, "%s", err)
		}
		has = factorsOf(tx, id.Name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	reply := map[string]any{"user": id.Name, "code": code, "expires": now.Add(d).UTC()}
	if scope == inviteScope && len(has) > 0 {
		reply["has"] = has
	}
	return reply, nil
}

// sameAccount refuses a name whose account is another than the enrolled one.
func (c *conn) sameAccount(tx *store.Tx, id Identity) error {
	user, found, err := tx.User(id.Name)
	if err == nil && found && user.UID != id.UID {
		return problemf(wire.ReasonNotPermitted, "%q was enrolled with uid %d and has uid %d now\nhint: if it is the same person: factorctl unlock %s", id.Name, user.UID, id.UID, id.Name)
	}
	return err
}
