package logind

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/factord/factord/daemon/session"
)

// TestSystemd asks the logind of systemd.
func TestSystemd(t *testing.T) {
	b := startBus(t)
	s := newSystemd(b)
	l, _ := newLogind(t)
	seat, free := newClient(t, alice), newClient(t, alice)
	other, root := newClient(t, bob), newClient(t, 0)
	v4, v6, name, nowhere := newClient(t, bob), newClient(t, bob), newClient(t, bob), newClient(t, bob)
	xrdp, cron, greeter := newClient(t, bob), newClient(t, bob), newClient(t, bob)
	s.session("1", seat, "SEAT=seat0", "TTY=tty1")
	s.session("2", other, "SEAT=seat0", "TTY=tty2")
	s.session("3", v4, "REMOTE=1", "REMOTE_HOST=203.0.113.7")
	s.session("4", v6, "REMOTE=1", "REMOTE_HOST=2001:db8::7")
	s.session("5", name, "REMOTE=1", "REMOTE_HOST=laptop.example.com")
	s.session("6", nowhere, "REMOTE=1")
	s.session("7", xrdp, "TYPE=x11")
	s.session("8", cron, "CLASS=background")
	s.session("9", greeter, "CLASS=greeter", "SEAT=seat0")
	s.session("10", root, fmt.Sprintf("UID=%d", alice), "REMOTE=1", "REMOTE_HOST=203.0.113.7")
	s.start()
	s.activate("/org/freedesktop/login1/session/_31")
	check := func(what string, c *client, want session.Place) {
		t.Helper()
		if place, err := c.place(t, l); err != nil || place != want {
			t.Errorf("%s: got %+v, %v; want %+v", what, place, err, want)
		}
	}
	in := func(id string, owner uint32, p session.Place) session.Place {
		p.Session, p.Owner = id+"@1", owner
		return p
	}
	check("console, and over ssh", seat, in("1", alice, beside("10")))
	check("in the background", other, in("2", bob, hidden))
	check("IPv4", v4, in("3", bob, afar("203.0.113.7")))
	check("IPv6", v6, in("4", bob, afar("2001:db8::7")))
	check("host name", name, in("5", bob, noSeat))
	check("no host", nowhere, in("6", bob, noSeat))
	check("xrdp", xrdp, in("7", bob, noSeat))
	check("cron", cron, unknown)
	check("greeter", greeter, unknown)
	check("sudo over ssh", root, in("10", alice, afar("203.0.113.7")))
	check("in no session, and no user's", free, unknown)

	s.activate("/org/freedesktop/login1/session/_32")
	check("switched away", seat, in("1", alice, hidden))
	place, err := other.place(t, l)
	if !slices.Contains([]string{"3", "4", "5", "6", "7"}, place.Elsewhere) {
		t.Errorf("bob is elsewhere by session %q", place.Elsewhere)
	}
	want := in("2", bob, beside(place.Elsewhere))
	if err != nil || place != want {
		t.Errorf("switched to: got %+v, %v; want %+v", place, err, want)
	}

	s.stop()
	if place, err := seat.place(t, l); err == nil {
		t.Errorf("without logind: got %+v", place)
	}
	s.start()
	s.activate("/org/freedesktop/login1/session/_31")
	check("after a restart", seat, in("1", alice, beside("10")))
}

// TestSystemdGroups asks it about processes that lead no session.
func TestSystemdGroups(t *testing.T) {
	b := startBus(t)
	s := newSystemd(b)
	s.makeGroup("user.slice")
	s.makeGroup("system.slice")
	slice := s.makeGroup("user.slice/user-4242.slice")
	for _, dir := range []string{"session-1.scope", "user@4242.service", "user@4242.service/app.slice", "user@4242.service/app.slice/session-1.scope"} {
		s.makeGroup("user.slice/user-4242.slice/" + dir)
	}
	l, _ := newLogind(t)
	leader, member, terminal, forger := newClient(t, alice), newClient(t, alice), newClient(t, alice), newClient(t, alice)
	stranger, root, service := newClient(t, bob), newClient(t, 0), newClient(t, alice)
	sudo := newClient(t, 0) // in a session; root's other one is in a terminal of the service manager
	for c, dir := range map[*client]string{
		member: slice + "/session-1.scope", sudo: slice + "/session-1.scope", terminal: slice + "/user@4242.service/app.slice",
		forger:   slice + "/user@4242.service/app.slice/session-1.scope",
		stranger: slice + "/user@4242.service", root: slice + "/user@4242.service/app.slice", service: s.groups + "/system.slice",
	} {
		c.move(t, dir)
	}
	s.session("1", leader, "SEAT=seat0", "IS_DISPLAY=1", "TYPE=wayland")
	s.start()
	s.activate("/org/freedesktop/login1/session/_31")
	at, also := console, beside("2")
	at.Session, also.Session = "1@1", "1@1"
	check := func(when string, wants map[*client]session.Place) {
		t.Helper()
		for i, c := range []*client{leader, member, terminal, forger, stranger, root, service, sudo} {
			if place, err := c.place(t, l); err != nil || place != wants[c] {
				t.Errorf("%s, client %d: got %+v, %v; want %+v", when, i, place, err, wants[c])
			}
		}
	}
	check("only at the console", map[*client]session.Place{leader: at, member: at, terminal: at, forger: at, root: at, sudo: at})
	s.stop()
	held := s.session("2", newClient(t, alice), "REMOTE=1", "REMOTE_HOST=203.0.113.7")
	s.start()
	s.activate("/org/freedesktop/login1/session/_31")
	check("and over ssh", map[*client]session.Place{leader: also, member: also, sudo: also,
		terminal: maybe("2"), forger: maybe("2"), root: maybe("2")})
	held.Close() // sshd ends; somebody has left a process
	eventually(t, "the session over ssh is closing", func() bool { return s.stateOf("/org/freedesktop/login1/session/_32") == "closing" })
	check("and over ssh, ended", map[*client]session.Place{leader: at, member: at, terminal: at, forger: at, root: at, sudo: at})
}

// TestFakeIsLikeLogind compares the fake's answers with logind's: all that is read
// has the same type, and "none" and "over" the same names.
func TestFakeIsLikeLogind(t *testing.T) {
	b := startBus(t)
	s := newSystemd(b)
	in, out := newClient(t, alice), newClient(t, alice)
	s.session("3", in, "SEAT=seat0")
	s.start()
	conn := b.connect()
	types := func(path dbus.ObjectPath, of string) map[string]string {
		p, err := propertiesOf(t.Context(), conn, path, of)
		must(t, err)
		found := map[string]string{}
		for name, v := range p.have {
			found[name] = v.Signature().String()
		}
		return found
	}
	none := func() (errs []string) {
		for _, method := range []string{"GetSessionByPID", "GetUserByPID"} {
			err := conn.Object(login1, login1Path).Call(login1Manager+"."+method, 0, uint32(out.peer.PID)).Err
			var said dbus.Error
			errors.As(err, &said)
			errs = append(errs, said.Name)
		}
		err := conn.Object(login1, sessionPath("9")).Call("org.freedesktop.DBus.Properties.GetAll", 0, login1Session).Err
		var said dbus.Error
		errors.As(err, &said)
		return append(errs, said.Name)
	}
	path, err := byPID(t.Context(), conn, "GetSessionByPID", in.peer.PID)
	must(t, err)
	realSession, realUser, realErrs := types(path, login1Session), types(userPath(alice), login1User), none()
	s.stop()
	f := startFake(b)
	f.manage(userWith(alice, "3"), onSeat0("3", alice))
	f.put("", "")
	f.end("9")
	fakeSession, fakeUser, fakeErrs := types(sessionPath("3"), login1Session), types(userPath(alice), login1User), none()
	for _, pair := range []struct{ fake, real map[string]string }{{fakeSession, realSession}, {fakeUser, realUser}} {
		if len(pair.fake) == 0 {
			t.Error("the fake says nothing")
		}
		for _, name := range slices.Sorted(maps.Keys(pair.fake)) {
			if pair.fake[name] != pair.real[name] {
				t.Errorf("%s: the fake has type %q, logind %q", name, pair.fake[name], pair.real[name])
			}
		}
	}
	if !slices.Equal(realErrs, fakeErrs) {
		t.Errorf("logind says %q, the fake %q", realErrs, fakeErrs)
	}
}
