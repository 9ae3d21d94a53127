package logind

import (
	"fmt"

	"github.com/godbus/dbus/v5"

	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/session"
)

// login is a login session as logind describes it: org.freedesktop.login1(5),
// "Session Objects".
type login struct {
	id     string
	since  uint64 // when it began, in microseconds since 1970
	uid    uint32
	user   dbus.ObjectPath
	class  string
	kind   string // its Type: "x11", "tty"
	state  string
	active bool // in the foreground of its seat
	seat   string
	remote bool
	host   string // where a remote session comes from: PAM_RHOST, unchecked
}

// personal reports whether somebody has logged in by it, and not out. A greeter or
// a lock screen is shown to whoever stands there, "background" is cron's, a
// "manager" runs a user's services, "user-incomplete" is one whose home folder is
// still locked. A session that is closing has lost its person: what is left in it,
// such as tmux, can be used from anywhere.
func (s *login) personal() bool {
	switch s.class {
	case "user", "user-early", "user-light", "user-early-light":
		return s.state == "active" || s.state == "online"
	}
	return false
}

// elsewhere reports whether its person may sit somewhere else. One without a seat
// may: xrdp and VNC servers make sessions that are not marked as remote.
func (s *login) elsewhere() bool {
	switch s.class {
	case "background", "background-light", "manager", "manager-early":
		return s.remote || s.host != ""
	}
	return s.remote || s.host != "" || s.seat == ""
}

// graphical reports whether its programs may be started by the user's service manager,
// as GNOME's and KDE's are. Those of a text console are in the session itself.
func (s *login) graphical() bool {
	switch s.kind {
	case "x11", "wayland", "mir":
		return true
	}
	return false
}

// elsewhereToo returns the id of another session by which its person may be somewhere
// else, empty if there is none. What runs here, such as tmux, can be used from there. All
// are the sessions of its user. Of one that is closing the person has gone.
func (s *login) elsewhereToo(all []login) string {
	for _, other := range all {
		apart := other.elsewhere() || other.seat != "" && other.seat != s.seat
		if other.id != s.id && other.state != "closing" && apart {
			return other.id
		}
	}
	return ""
}

// place is what the session proves by itself.
func (s *login) place() session.Place {
	// logind counts its sessions anew after each boot, so the id alone may have
	// been another session's.
	p := session.Place{Session: fmt.Sprintf("%s@%d", s.id, s.since), Owner: s.uid, Local: s.local()}
	if s.host != "" {
		p.Addr, p.AddrKnown = policy.ParseAddr(s.host)
	} else {
		p.AddrKnown = !s.elsewhere() // who sits at a seat has no address
	}
	return p
}

// local is No only where it is certain. A session in the background of a seat may
// still be its user's own console a key press later, so it must neither let anybody
// use the keys at that seat nor spare anybody a rule for local users: unknown does
// both.
func (s *login) local() policy.Known {
	switch {
	case s.remote || s.seat == "":
		return policy.No
	case s.host == "" && s.active && s.state == "active":
		return policy.Yes
	}
	return policy.Unknown
}

// properties are those of one object. The first that is missing or has another type
// than it should sets err.
type properties struct {
	of   dbus.ObjectPath
	have map[string]dbus.Variant
	err  error
}

func property[T any](p *properties, name string) T {
	value, ok := p.have[name].Value().(T)
	if !ok {
		p.refuse(name)
	}
	return value
}

// key returns the first half of a property that names an object.
func key[T any](p *properties, name string) T {
	k, _ := reference[T](p, name)
	return k
}

// reference returns both halves: the second is the object's path.
func reference[T any](p *properties, name string) (T, dbus.ObjectPath) {
	k, path, ok := halves[T](property[[]any](p, name))
	if !ok {
		p.refuse(name)
	}
	return k, path
}

func (p *properties) refuse(name string) {
	if p.err == nil {
		p.err = fmt.Errorf("logind says of %s: %s has the type %q", p.of, name, p.have[name].Signature())
	}
}

// halves takes apart what names an object.
func halves[T any](both []any) (key T, path dbus.ObjectPath, ok bool) {
	if len(both) != 2 {
		return key, path, false
	}
	key, isKey := both[0].(T)
	path, isPath := both[1].(dbus.ObjectPath)
	return key, path, isKey && isPath
}

// readLogin reads the properties of a session.
func readLogin(p *properties) (login, error) {
	s := login{
		id:     property[string](p, "Id"),
		since:  property[uint64](p, "Timestamp"),
		class:  property[string](p, "Class"),
		kind:   property[string](p, "Type"),
		state:  property[string](p, "State"),
		active: property[bool](p, "Active"),
		seat:   key[string](p, "Seat"),
		remote: property[bool](p, "Remote"),
		host:   property[string](p, "RemoteHost"),
	}
	s.uid, s.user = reference[uint32](p, "User")
	if p.err != nil {
		return login{}, p.err
	}
	return s, nil
}
