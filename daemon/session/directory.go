package session

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"time"

	"github.com/factord/factord/daemon/policy"
)

// Identity is an account as NSS returned it.
type Identity struct {
	Name string
	UID  uint32
	GID  uint32
}

// Directory looks accounts up. ErrNoUser is the positive finding that there is
// no such account; every other error means that it can't be known.
//
// The asker is the uid for whom it is looked up, so that lookups that hang for
// one do not keep others from theirs.
type Directory interface {
	ByName(ctx context.Context, asker uint32, name string) (Identity, error)
	ByUID(ctx context.Context, asker, uid uint32) (Identity, error)
	// Groups says which of the named groups id is in; a group that can't be
	// looked up is left out.
	Groups(ctx context.Context, asker uint32, id Identity, names []string) map[string]policy.Membership
}

// ErrNoUser is an account that does not exist.
var ErrNoUser = errors.New("no such user")

// Limits of NSS, whose backends may ask a network. A lookup that never returns
// keeps its place, so a backend that hangs can't eat all threads.
const (
	nssTime = 5 * time.Second
	// nssCalls is how many lookups may be under way for root, and how many
	// for all others. Root's are as many as sshd lets strangers begin, and more.
	nssCalls = 256
	// nssPerUID is how many of the latter one uid can have, or rather the
	// uids that share one of nssBins.
	nssPerUID = 4
	nssBins   = 64
)

// NSS is the Directory of this machine, through the C library.
type NSS struct {
	root, others chan struct{}
	bins         [nssBins]chan struct{}
}

// NewNSS returns the machine's directory.
func NewNSS() *NSS {
	n := &NSS{root: make(chan struct{}, nssCalls), others: make(chan struct{}, nssCalls)}
	for i := range n.bins {
		n.bins[i] = make(chan struct{}, nssPerUID)
	}
	return n
}

// places returns what a lookup for asker has to have, in the order of taking.
func (n *NSS) places(asker uint32) []chan struct{} {
	if asker == 0 {
		return []chan struct{}{n.root}
	}
	return []chan struct{}{n.bins[asker%nssBins], n.others}
}

// errSlow is a lookup that took too long, or found all places taken.
var errSlow = errors.New("user database does not answer")

// lookup calls find in a place of its own and waits at most nssTime.
func lookup[T any](ctx context.Context, places []chan struct{}, find func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	ctx, cancel := context.WithTimeoutCause(ctx, nssTime, errSlow)
	defer cancel()
	for i, place := range places {
		select {
		case place <- struct{}{}:
		case <-ctx.Done():
			release(places[:i])
			return none, context.Cause(ctx)
		}
	}
	done := make(chan result, 1)
	go func() {
		defer release(places)
		value, err := find()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

func release(places []chan struct{}) {
	for _, place := range places {
		<-place
	}
}

// ByName implements Directory.
func (n *NSS) ByName(ctx context.Context, asker uint32, name string) (Identity, error) {
	return lookup(ctx, n.places(asker), func() (Identity, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return Identity{}, noUser(err)
		}
		return identityOf(u)
	})
}

// ByUID implements Directory.
func (n *NSS) ByUID(ctx context.Context, asker, uid uint32) (Identity, error) {
	return lookup(ctx, n.places(asker), func() (Identity, error) {
		u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
		if err != nil {
			return Identity{}, noUser(err)
		}
		return identityOf(u)
	})
}

// Groups implements Directory. GroupIds drops groups silently when a directory
// is down, so each group is also looked up by name.
func (n *NSS) Groups(ctx context.Context, asker uint32, id Identity, names []string) map[string]policy.Membership {
	if len(names) == 0 {
		return nil
	}
	found, _ := lookup(ctx, n.places(asker), func() (map[string]policy.Membership, error) {
		u := &user.User{Uid: strconv.FormatUint(uint64(id.UID), 10), Gid: strconv.FormatUint(uint64(id.GID), 10), Username: id.Name}
		ids, err := u.GroupIds()
		if err != nil {
			return nil, err
		}
		member := make(map[string]bool, len(ids))
		for _, gid := range ids {
			member[gid] = true
		}
		groups := make(map[string]policy.Membership, len(names))
		for _, name := range names {
			g, err := user.LookupGroup(name)
			switch {
			case err != nil:
			case member[g.Gid]:
				groups[name] = policy.Member
			default:
				groups[name] = policy.NotMember
			}
		}
		return groups, nil
	})
	return found
}

func noUser(err error) error {
	var byName user.UnknownUserError
	var byID user.UnknownUserIdError
	if errors.As(err, &byName) || errors.As(err, &byID) {
		return ErrNoUser
	}
	return err
}

func identityOf(u *user.User) (Identity, error) {
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return Identity{}, err
	}
	if !policy.ValidUser(u.Username) {
		return Identity{}, fmt.Errorf("user database returned the name %q", u.Username)
	}
	return Identity{Name: u.Username, UID: uint32(uid), GID: uint32(gid)}, nil
}
