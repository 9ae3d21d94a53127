package logind

import (
	"fmt"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/factord/factord/daemon/factordtest"
)

const (
	alice = 4242
	bob   = 4243
)

// object is what GetAll answers of a session or a user.
type object map[string]any

// with returns a copy with other values.
func (o object) with(pairs ...any) object {
	c := object{}
	for k, v := range o {
		c[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		c[pairs[i].(string)] = pairs[i+1]
	}
	return c
}

func sessionPath(id string) dbus.ObjectPath {
	return dbus.ObjectPath("/org/freedesktop/login1/session/_" + id)
}

func userPath(uid uint32) dbus.ObjectPath {
	return dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/login1/user/_%d", uid))
}

// The structures of login1(5).
type (
	named struct {
		ID   string
		Path dbus.ObjectPath
	}
	numbered struct {
		UID  uint32
		Path dbus.ObjectPath
	}
)

// onSeat0 is somebody at the console.
func onSeat0(id string, uid uint32) object {
	return object{"Id": id, "Timestamp": uint64(1), "User": numbered{uid, userPath(uid)}, "Class": "user", "Type": "wayland", "State": "active", "Active": true,
		"Seat": named{"seat0", "/org/freedesktop/login1/seat/seat0"}, "Remote": false, "RemoteHost": ""}
}

// fromAfar is a login by sshd.
func fromAfar(id string, uid uint32, host string) object {
	return onSeat0(id, uid).with("Seat", named{"", "/"}, "Remote", true, "RemoteHost", host)
}

// userWith is a user with sessions, the first of which is the display.
func userWith(uid uint32, ids ...string) object {
	sessions := []named{}
	for _, id := range ids {
		sessions = append(sessions, named{id, sessionPath(id)})
	}
	return object{"UID": uid, "Display": sessions[0], "Sessions": sessions}
}

// fake answers as logind does, and otherwise where a test wants it to.
// TestFakeIsLikeLogind compares it with the real one.
type fake struct {
	conn *dbus.Conn
	mu   sync.Mutex
	// session and user of every process.
	session, user dbus.ObjectPath
	calls         int
	hang          chan struct{} // every call waits until it is closed
}

func startFake(b *testBus) *fake {
	b.t.Helper()
	factordtest.NeedRoot(b.t) // the bus gives nobody else the name
	f := &fake{conn: b.connect()}
	must(b.t, f.conn.Export(f, login1Path, login1Manager))
	reply, err := f.conn.RequestName(login1, dbus.NameFlagDoNotQueue)
	must(b.t, err)
	if reply != dbus.RequestNameReplyPrimaryOwner {
		b.t.Fatalf("the name of logind is taken: %v", reply)
	}
	return f
}

// found answers with what f has of a kind.
func (f *fake) found(what *dbus.ObjectPath, none string) (dbus.ObjectPath, *dbus.Error) {
	f.mu.Lock()
	path, hang := *what, f.hang
	f.calls++
	f.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if path == "" {
		return "", dbus.NewError(login1+"."+none, []any{"no such thing"})
	}
	return path, nil
}

// GetSessionByPID is a method on the bus.
func (f *fake) GetSessionByPID(uint32) (dbus.ObjectPath, *dbus.Error) {
	return f.found(&f.session, "NoSessionForPID")
}

// GetUserByPID is a method on the bus.
func (f *fake) GetUserByPID(uint32) (dbus.ObjectPath, *dbus.Error) {
	return f.found(&f.user, "NoUserForPID")
}

func (f *fake) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// GetAll of one object.
type getAll struct{ properties object }

// GetAll is a method on the bus.
func (g getAll) GetAll(string) (map[string]dbus.Variant, *dbus.Error) {
	all := map[string]dbus.Variant{}
	for k, v := range g.properties {
		all[k] = dbus.MakeVariant(v)
	}
	return all, nil
}

// add exports an object.
func (f *fake) add(path dbus.ObjectPath, o object) {
	f.conn.Export(getAll{o}, path, "org.freedesktop.DBus.Properties")
}

// over answers for an object that is not there any more.
type over struct{}

// GetAll is a method on the bus.
func (over) GetAll(string) (map[string]dbus.Variant, *dbus.Error) {
	return nil, dbus.NewError("org.freedesktop.DBus.Error.UnknownObject", []any{"no such object"})
}

// end ends a session that is still listed.
func (f *fake) end(id string) {
	f.conn.Export(over{}, sessionPath(id), "org.freedesktop.DBus.Properties")
}

// put puts every process into a session and under a user; empty is none.
func (f *fake) put(session, user dbus.ObjectPath) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.session, f.user = session, user
}

// enter puts every process into a session, whose user has others.
func (f *fake) enter(s object, others ...object) {
	var ids []string
	for _, s := range append([]object{s}, others...) {
		f.add(sessionPath(s["Id"].(string)), s)
		ids = append(ids, s["Id"].(string))
	}
	uid := s["User"].(numbered).UID
	f.add(userPath(uid), userWith(uid, ids...))
	f.put(sessionPath(ids[0]), "")
}

// manage puts every process under a user's service manager.
func (f *fake) manage(u object, sessions ...object) {
	f.add(userPath(alice), u)
	for _, s := range sessions {
		f.add(sessionPath(s["Id"].(string)), s)
	}
	f.put("", userPath(alice))
}

// stall makes every call wait for what it returns to be called.
func (f *fake) stall() (goOn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	hang := make(chan struct{})
	f.hang = hang
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.hang = nil
		close(hang)
	})
}
