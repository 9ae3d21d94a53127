package logind

import (
	"context"
	"errors"

	"github.com/godbus/dbus/v5"
)

// maxLogins is how many sessions of one user are looked at.
const maxLogins = 32

// user is somebody who is logged in, as logind describes them: org.freedesktop.login1(5),
// "User Objects".
type user struct {
	uid      uint32
	display  string // the id of the session that stands for them, empty if none does
	sessions []dbus.ObjectPath
}

func userAt(ctx context.Context, conn *dbus.Conn, path dbus.ObjectPath) (user, error) {
	p, err := propertiesOf(ctx, conn, path, login1User)
	if err != nil {
		return user{}, err
	}
	u := user{uid: property[uint32](p, "UID"), display: key[string](p, "Display")}
	for _, entry := range property[[][]any](p, "Sessions") {
		_, path, ok := halves[string](entry)
		if !ok {
			p.refuse("Sessions")
		}
		u.sessions = append(u.sessions, path)
	}
	if p.err != nil {
		return user{}, p.err
	}
	return u, nil
}

// logins returns the user's sessions; those that have ended meanwhile are not among them.
// It is not complete, and empty, if they have too many.
func (u *user) logins(ctx context.Context, conn *dbus.Conn) (all []login, complete bool, err error) {
	if len(u.sessions) > maxLogins {
		return nil, false, nil
	}
	for _, path := range u.sessions {
		s, err := loginAt(ctx, conn, path)
		if errors.Is(err, errOver) {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		all = append(all, s)
	}
	return all, true, nil
}
