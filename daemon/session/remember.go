package session

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// clockSlack is how far the clock may be behind the highest time seen before
// memories no longer count: that much is what time synchronisation does.
const clockSlack = 5 * time.Second

// circumstances are what a proof is remembered for: one that differs in any of
// them is another login.
type circumstances struct {
	User, Target, Service string
	// Client and Key of a login over the network: the address, and the
	// fingerprint of the first factor's key.
	Client netip.Addr
	Key    string
	// Session and TTY of a login on this machine, and who asked for it.
	Session, TTY, RUser string
}

// hash is what circumstances are kept as: a key of fixed size, which does not
// say them.
func (c circumstances) hash() [sha256.Size]byte {
	var b []byte
	for _, part := range [...]string{c.User, c.Target, c.Service, c.Client.String(), c.Key, c.Session, c.TTY, c.RUser} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return sha256.Sum256(b)
}

// circumstances returns those of the attempt, or what of them is unknown. A
// proof is remembered only where every part is known: otherwise it would be for
// anybody who lacks the same part.
func (a *attempt) circumstances() (c circumstances, missing string) {
	c = circumstances{User: a.identity.Name, Service: a.auth.Service}
	if a.plan.SubjectCaller {
		c.Target = a.auth.User
	}
	addr, known := a.client()
	switch {
	case c.Service == "":
		return c, "service"
	case !known, addr.IsLinkLocalUnicast(): // which is another host on each link
		return c, "client address"
	case addr.IsValid() && a.key == "":
		return c, "key of the first factor"
	case addr.IsValid():
		c.Client, c.Key = addr, a.key
		return c, ""
	case a.place.Session == "":
		return c, "session"
	case a.auth.TTY == "":
		return c, "tty"
	}
	c.Session, c.TTY, c.RUser = a.place.Session, strings.TrimPrefix(a.auth.TTY, "/dev/"), a.auth.RUser
	return c, ""
}

// remembered reports whether a proof can be remembered here at all.
func (a *attempt) remembered() bool {
	return a.known && a.plan.Remember > 0 && a.standing.enrolled
}

// recall lets in whoever has proven a factor in the same circumstances. What it
// finds is checked in the transaction that records the login, so that nothing
// forgotten meanwhile counts, and it changes nothing: use extends no memory.
func (a *attempt) recall(ctx context.Context) (v wire.Verdict, known bool) {
	c, missing := a.circumstances()
	if missing != "" {
		return v, false
	}
	err := a.Store.Look(func(tx *store.Tx) (err error) {
		_, known, err = a.memory(tx, c)
		return err
	})
	if err != nil || !known { // one that can't be read spares nobody anything
		return v, false
	}
	v, _ = a.decide(ctx, func(tx *store.Tx) (ruling, error) {
		m, still, err := a.memory(tx, c)
		if err != nil || !still {
			return ruling{reason: wire.ReasonDenied, text: "try again", log: "forgotten in this moment", unasked: true}, err
		}
		return ruling{basis: wire.BasisRemembered, id: m.ID, log: fmt.Sprintf("%s was proven at %s", m.Factor, m.Made.UTC().Format(time.RFC3339))}, nil
	})
	return v, true
}

// memory returns what is remembered for c, if it holds now and for this rule.
func (a *attempt) memory(tx *store.Tx, c circumstances) (m store.Memory, holds bool, err error) {
	m, found, err := tx.Memory(c.User, c.hash())
	if err != nil || !found {
		return m, false, err
	}
	user, _, err := tx.User(c.User)
	if err != nil {
		return m, false, err
	}
	clock, highest := a.Clock(), tx.Highest()
	now := clock
	if highest.After(now) {
		now = highest
	}
	holds = clock.After(highest.Add(-clockSlack)) &&
		now.Before(m.Until) && now.Before(m.Made.Add(a.plan.Remember)) &&
		m.Revision == user.Revision && slices.Contains(a.plan.Factors, m.Factor) &&
		(m.Presence || !a.plan.Presence)
	return m, holds, nil
}

// remember keeps a proof for the time that the rule says, and returns what of
// the circumstances is unknown, if it can't be kept. A bypass code is root's
// word, and no factor that the user has shown.
func (a *attempt) remember(tx *store.Tx, factor, id string, trust []byte) (missing string, err error) {
	if !a.remembered() || factor == bypassName {
		return "", nil
	}
	c, missing := a.circumstances()
	if missing != "" {
		return missing, nil
	}
	user, _, err := tx.User(c.User)
	if err != nil {
		return "", err
	}
	now := a.now()
	return "", tx.Remember(c.User, c.hash(), store.Memory{
		Made: now.UTC(), Until: now.Add(a.plan.Remember).UTC(), Revision: user.Revision,
		Factor: factor, ID: id, Presence: a.plan.Presence, Trust: trust,
	})
}

// trust is the token that a factor was given when it was last proven in the same
// circumstances, for as long as whoever gave it takes it. One that can't be read
// spares nobody anything.
func (a *attempt) trust(factor string) (token []byte) {
	if a.plan.Remember == 0 {
		return nil
	}
	c, missing := a.circumstances()
	if missing != "" {
		return nil
	}
	err := a.Store.Look(func(tx *store.Tx) error {
		m, _, err := tx.Memory(c.User, c.hash())
		if m.Factor == factor {
			token = m.Trust
		}
		return err
	})
	if err != nil {
		return nil
	}
	return token
}

// forget serves FORGET: every proof that is remembered of a user is dropped.
func (r *request) forget() (any, error) {
	id, err := r.subject()
	if err != nil {
		return nil, err
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	n := 0
	err = r.update(id.Name, store.Event{}, func(tx *store.Tx) (err error) {
		if n, err = forgetAll(tx, id); err == nil && n == 0 {
			err = errNothing
		}
		return err
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	return map[string]any{"forgot": n, "user": id.Name}, err
}

// errNothing ends a change that changes nothing. It leaves no record: a user who
// may ask for it as often as they like would push others' out of the ring.
var errNothing = errors.New("nothing to forget")

// forgetAll drops what is remembered of an account under each of its names.
func forgetAll(tx *store.Tx, id Identity) (n int, err error) {
	if n, err = tx.Forget(id.Name); err != nil {
		return n, err
	}
	other, err := tx.NameOf(id.UID) // of an alias, the name that counts
	if err != nil || other == "" || other == id.Name {
		return n, err
	}
	more, err := tx.Forget(other)
	return n + more, err
}

// remembering is what explain says of a rule's remember.
func (a *attempt) remembering() string {
	addr, known := a.client()
	switch {
	case a.plan.Rule == nil || a.plan.Refuse != policy.NotRefused || a.plan.Rule.Remember == 0:
		return ""
	case a.caller == policy.CallerUser:
		return "no: the caller is not root"
	case !known:
		return "no: the client's address is not known"
	case addr.IsValid():
		return a.plan.Remember.String() + " for this address and one SSH key; not where PAM does not know the key"
	}
	return a.plan.Remember.String() + " for one session and terminal; not where logind does not know the session"
}
