package logind

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/godbus/dbus/v5"

	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/wire"
)

// The names of org.freedesktop.login1(5).
const (
	login1        = "org.freedesktop.login1"
	login1Path    = "/org/freedesktop/login1"
	login1Manager = login1 + ".Manager"
	login1Session = login1 + ".Session"
	login1User    = login1 + ".User"
)

var (
	// errNone is logind's word that a process belongs to no session, or to no user.
	errNone = errors.New("the process is in no session")
	// errOver is its word of a session, or a user, that has logged out meanwhile.
	errOver = errors.New("logged out")
)

// ask says where the process peer.PID is, as long as that is the peer.
func (l *Logind) ask(ctx context.Context, peer wire.Peer) (session.Place, error) {
	conn, err := l.bus.get(ctx)
	if err != nil {
		return session.Place{}, err
	}
	path, err := byPID(ctx, conn, "GetSessionByPID", peer.PID)
	switch {
	case errors.Is(err, errNone):
		return display(ctx, conn, peer)
	case err != nil:
		return session.Place{}, err
	}
	return within(ctx, conn, peer, path)
}

// within says what a session proves that a process is in.
func within(ctx context.Context, conn *dbus.Conn, peer wire.Peer, path dbus.ObjectPath) (session.Place, error) {
	s, err := loginAt(ctx, conn, path)
	if err != nil {
		return session.Place{}, err
	}
	// Root in somebody's session is sudo. Anybody else in it has come by su: the
	// session says where another user sits.
	if !s.personal() || peer.UID != 0 && s.uid != peer.UID {
		return session.Place{}, nil
	}
	place := s.place()
	if place.Local != policy.Yes {
		return place, nil
	}
	u, err := userAt(ctx, conn, s.user)
	if err != nil {
		return session.Place{}, err
	}
	if u.uid != s.uid {
		return session.Place{}, fmt.Errorf("logind says of %s: it is uid %d's, and not uid %d's", s.user, u.uid, s.uid)
	}
	all, complete, err := u.logins(ctx, conn)
	if err != nil {
		return session.Place{}, err
	}
	place.Elsewhere = s.elsewhereToo(all)
	place.Alone = complete && place.Elsewhere == ""
	return place, nil
}

// display says where the user is of a process that their service manager started, such
// as GNOME's terminals: at their display, if they are nowhere else. Root's is sudo then,
// which that user has started. logind knows no user for processes outside their slice, so
// a system service that runs as them is not at their display.
//
// What a login from elsewhere has left under the service manager, such as a timer of
// systemd-run --user, can't be told from what the display has started there: it counts
// as at the display once that login has ended. So a text console is no display: what runs
// there is in its session.
func display(ctx context.Context, conn *dbus.Conn, peer wire.Peer) (session.Place, error) {
	path, err := byPID(ctx, conn, "GetUserByPID", peer.PID)
	if errors.Is(err, errNone) {
		return session.Place{}, nil
	}
	if err != nil {
		return session.Place{}, err
	}
	u, err := userAt(ctx, conn, path)
	if err != nil {
		return session.Place{}, err
	}
	if peer.UID != 0 && u.uid != peer.UID {
		return session.Place{}, nil
	}
	all, complete, err := u.logins(ctx, conn)
	if err != nil || !complete {
		return session.Place{}, err
	}
	i := slices.IndexFunc(all, func(s login) bool { return s.id == u.display && s.uid == u.uid && s.personal() && s.graphical() })
	if i < 0 || all[i].elsewhere() {
		return session.Place{}, nil
	}
	if other := all[i].elsewhereToo(all); other != "" {
		return session.Place{Owner: u.uid, Elsewhere: other}, nil
	}
	place := all[i].place()
	place.Alone = true
	return place, nil
}

// byPID calls one of the manager's methods that find an object by a pid.
func byPID(ctx context.Context, conn *dbus.Conn, method string, pid int32) (dbus.ObjectPath, error) {
	return call[dbus.ObjectPath](ctx, conn, login1Path, login1Manager+"."+method, uint32(pid))
}

func loginAt(ctx context.Context, conn *dbus.Conn, path dbus.ObjectPath) (login, error) {
	p, err := propertiesOf(ctx, conn, path, login1Session)
	if err != nil {
		return login{}, err
	}
	return readLogin(p)
}

// propertiesOf returns all properties of an object as they are at one moment.
func propertiesOf(ctx context.Context, conn *dbus.Conn, path dbus.ObjectPath, of string) (*properties, error) {
	have, err := call[map[string]dbus.Variant](ctx, conn, path, "org.freedesktop.DBus.Properties.GetAll", of)
	return &properties{of: path, have: have}, err
}

// call asks logind for a T. It starts no logind where there is none.
func call[T any](ctx context.Context, conn *dbus.Conn, path dbus.ObjectPath, method string, arg any) (answer T, err error) {
	c := conn.Object(login1, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, arg)
	if c.Err != nil {
		return answer, meaning(method, c.Err)
	}
	if len(c.Body) == 1 {
		if answer, ok := c.Body[0].(T); ok {
			return answer, nil
		}
	}
	return answer, fmt.Errorf("logind's answer to %s is no %T", method, answer)
}

// meaning says what the error of a call is.
func meaning(method string, err error) error {
	var said dbus.Error
	if !errors.As(err, &said) { // the connection broke, or the context has ended
		return fmt.Errorf("%w: %s: %w", errAway, method, err)
	}
	switch said.Name {
	case "org.freedesktop.login1.NoSessionForPID", "org.freedesktop.login1.NoUserForPID":
		return errNone
	case "org.freedesktop.DBus.Error.UnknownObject":
		return fmt.Errorf("%w: asking logind: %s: %s", errOver, method, said.Name)
	case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
		"org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.AccessDenied":
		return fmt.Errorf("%w: %s: %w", errAway, method, err)
	}
	return fmt.Errorf("asking logind: %s: %s: %w", method, said.Name, err)
}
