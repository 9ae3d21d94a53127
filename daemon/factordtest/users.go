package factordtest

import (
	"context"
	"errors"
	"sync"

	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/session"
)

// Users is a directory of accounts in memory.
type Users struct {
	mu     sync.Mutex
	uids   map[string]uint32   // canonical names
	alias  map[string]string   // other names of them
	groups map[string][]string // members
	broken bool
}

// NewUsers returns a directory with alice (1001), bob (1002) and root (0).
func NewUsers() *Users {
	return &Users{uids: map[string]uint32{"root": 0, "alice": 1001, "bob": 1002}, alias: map[string]string{}, groups: map[string][]string{}}
}

// Set gives a name a uid.
func (u *Users) Set(name string, uid uint32) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.uids[name] = uid
}

// Rename gives an account another name.
func (u *Users) Rename(name, to string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.uids[to] = u.uids[name]
	delete(u.uids, name)
}

// Alias gives an account a second name.
func (u *Users) Alias(other, name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.alias[other] = name
}

// Group makes a group.
func (u *Users) Group(name string, members ...string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.groups[name] = members
}

// Break makes every lookup fail, as a directory does that is down.
func (u *Users) Break(broken bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.broken = broken
}

var errDown = errors.New("directory is down")

// ByName implements session.Directory.
func (u *Users) ByName(_ context.Context, _ uint32, name string) (session.Identity, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.broken {
		return session.Identity{}, errDown
	}
	if canonical, ok := u.alias[name]; ok {
		name = canonical
	}
	uid, ok := u.uids[name]
	if !ok {
		return session.Identity{}, session.ErrNoUser
	}
	return session.Identity{Name: name, UID: uid, GID: uid}, nil
}

// ByUID implements session.Directory.
func (u *Users) ByUID(_ context.Context, _, uid uint32) (session.Identity, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.broken {
		return session.Identity{}, errDown
	}
	for name, have := range u.uids {
		if have == uid {
			return session.Identity{Name: name, UID: uid, GID: uid}, nil
		}
	}
	return session.Identity{}, session.ErrNoUser
}

// Groups implements session.Directory.
func (u *Users) Groups(_ context.Context, _ uint32, id session.Identity, names []string) map[string]policy.Membership {
	u.mu.Lock()
	defer u.mu.Unlock()
	found := map[string]policy.Membership{}
	for _, name := range names {
		members, ok := u.groups[name]
		if !ok || u.broken {
			continue
		}
		found[name] = policy.NotMember
		for _, m := range members {
			if m == id.Name {
				found[name] = policy.Member
			}
		}
	}
	return found
}
