package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// Limits of an import, in bytes: a thousand keys of some 120 bytes, and their users.
const (
	maxImport = 256 << 10
	maxOwners = 128 << 10
)

// importer returns the factor that imports under a name, and the names of all that do.
func (s *Settings) importer(name string) (factor.Importer, []string) {
	var names []string
	for _, f := range s.Factors {
		i, ok := f.(factor.Importer)
		if ok && f.Name() == name {
			return i, nil
		}
		if ok {
			names = append(names, f.Name())
		}
	}
	return nil, names
}

// imports makes the records of a file, for many users, in one transaction.
func (r *request) imports() (any, error) {
	name := r.args.Take("factor")
	from, names := r.importer(name)
	if from == nil {
		return nil, problemf(wire.ReasonProtocol, "can't import %q: it is one of %s", name, strings.Join(names, ", "))
	}
	if !r.trusted() {
		return nil, problemf(wire.ReasonNotPermitted, "only root may import")
	}
	i := factor.Import{User: r.args.Take("user"), Origin: r.args.Take("origin")}
	if err := r.done(); err != nil {
		return nil, err
	}
	defer func() { i.File.Wipe() }()
	var err error
	if i.File, err = r.inquireAll("File: ", maxImport); err != nil {
		return nil, err
	}
	if i.User == "" {
		if i.Owners, err = r.inquireAll("Users: ", maxOwners); err != nil {
			return nil, err
		}
	}
	batch, err := from.Import(i)
	if err != nil {
		return nil, problemf(wire.ReasonDenied, "%v", err)
	}
	users, err := r.owners(batch)
	if err != nil {
		return nil, err
	}
	return r.importFor(users, name, batch)
}

// inquireAll asks for a text that is longer than one answer may be: part after part,
// until an empty one.
func (r *request) inquireAll(text string, limit int) (all factor.Secret, err error) {
	for {
		part, err := r.inquire(wire.Seed, text, wire.MaxInquiry)
		if err != nil {
			all.Wipe()
			return nil, err
		}
		if len(part) == 0 {
			return all, nil
		}
		if len(all)+len(part) > limit {
			part.Wipe()
			all.Wipe()
			return nil, problemf(wire.ReasonDenied, "it is longer than %d bytes\nhint: split the file", limit)
		}
		longer := slices.Concat(all, part) // append would leave copies behind
		part.Wipe()
		all.Wipe()
		all = longer
	}
}

// owners are the accounts of those who get something, by the names they are given.
func (r *request) owners(batch factor.Batch) (map[string]Identity, error) {
	users := map[string]Identity{}
	for _, name := range batch.Users {
		id, err := r.find(r.ctx, name)
		switch {
		case errors.Is(err, ErrNoUser):
			text := fmt.Sprintf("no such user: %q", name)
			if where := batch.Where[name]; where != "" {
				text = where + ": " + text
			}
			return nil, problemf(wire.ReasonDenied, "%s", text)
		case err != nil:
			r.Log.Error("looking up a user", "user", name, "error", err)
			return nil, problemf(wire.ReasonUnavailable, "the user database does not answer")
		}
		users[name] = id
	}
	return users, nil
}

// importFor keeps what is imported, all or nothing, with an audit record for each.
func (r *request) importFor(users map[string]Identity, name string, batch factor.Batch) (any, error) {
	var made []factor.Imported
	err := r.updateMany(func(tx *store.Tx) (err error) {
		for _, id := range users {
			if err := r.admit(tx, id, true); err != nil {
				return err
			}
			if _, err := tx.Forget(id.Name); err != nil {
				return err
			}
		}
		of := func(user string) factor.Records { return tx.Scope(users[user].Name, name) }
		if made, err = batch.Commit(of, r.Clock()); err != nil {
			return err
		}
		for n := range made {
			made[n].User = users[made[n].User].Name
			if made[n].Already {
				continue
			}
			r.record(tx, made[n].User, store.Event{Factor: name, ID: made[n].ID, Log: r.called(tx, made[n].User, name, made[n].ID)})
		}
		return nil
	})
	var no factor.Refusal
	if errors.As(err, &no) {
		return nil, problemf(wire.ReasonDenied, "%s", no)
	}
	reply := map[string]any{"imported": made, "left": batch.Left}
	if batch.Note != "" {
		reply["note"] = batch.Note
	}
	return reply, err
}
