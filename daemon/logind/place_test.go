package logind

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/session"
)

var (
	console = session.Place{Session: "3@1", AddrKnown: true, Local: policy.Yes}
	unknown = session.Place{}
)

func afar(address string) session.Place {
	return session.Place{Session: "3@1", Addr: netip.MustParseAddr(address), AddrKnown: true, Local: policy.No}
}

// What a process in a session proves, said by a logind that can say anything.
func TestInSession(t *testing.T) {
	f := startFake(startBus(t))
	l, _ := newLogind(t)
	clients := map[int]*client{0: newClient(t, 0), alice: newClient(t, alice), bob: newClient(t, bob)}
	seat := onSeat0("3", alice)
	noSeat := named{"", "/"}
	for _, c := range []struct {
		name    string
		uid     int
		session object
		want    session.Place
	}{
		{"console", alice, seat, console},
		{"sudo at the console", 0, seat, console},
		{"su at the console", bob, seat, unknown},
		{"root's own", 0, onSeat0("3", 0).with("Class", "user-early"), console},
		{"another virtual terminal is shown", alice, seat.with("Active", false, "State", "online"), session.Place{Session: "3@1", AddrKnown: true}},
		{"active, and yet not", alice, seat.with("State", "online"), session.Place{Session: "3@1", AddrKnown: true}},
		{"closing", alice, seat.with("State", "closing"), unknown},
		{"opening", alice, seat.with("State", "opening"), unknown},
		{"greeter", alice, seat.with("Class", "greeter"), unknown},
		{"root in a greeter", 0, seat.with("Class", "greeter"), unknown},
		{"lock screen", alice, seat.with("Class", "lock-screen"), unknown},
		{"cron", alice, seat.with("Class", "background", "Seat", noSeat), unknown},
		{"service manager", alice, seat.with("Class", "manager", "Seat", noSeat), unknown},
		{"home locked", alice, seat.with("Class", "user-incomplete"), unknown},
		{"class of tomorrow", alice, seat.with("Class", "user-hologram"), unknown},
		{"xrdp", alice, seat.with("Seat", noSeat), session.Place{Session: "3@1", Local: policy.No}},
		{"ssh over IPv4", alice, fromAfar("3", alice, "203.0.113.7"), afar("203.0.113.7")},
		{"ssh over IPv6", alice, fromAfar("3", alice, "2001:db8::7"), afar("2001:db8::7")},
		{"ssh from a link", alice, fromAfar("3", alice, "fe80::7%eth0"), afar("fe80::7")},
		{"ssh over mapped IPv4", alice, fromAfar("3", alice, "::ffff:203.0.113.7"), afar("203.0.113.7")},
		{"ssh from a name", alice, fromAfar("3", alice, "laptop.example.com"), session.Place{Session: "3@1", Local: policy.No}},
		{"ssh from nowhere", alice, fromAfar("3", alice, ""), session.Place{Session: "3@1", Local: policy.No}},
		// pam_systemd(8) takes PAM_RHOST "localhost" as not remote.
		{"ssh from localhost", alice, fromAfar("3", alice, "localhost").with("Remote", false), session.Place{Session: "3@1", Local: policy.No}},
		{"seat and host", alice, seat.with("RemoteHost", "laptop"), session.Place{Session: "3@1"}},
		// pam_env let users choose their seat (CVE-2025-6018).
		{"remote with a seat", alice, seat.with("Remote", true), session.Place{Session: "3@1", Local: policy.No}},
		{"sudo over ssh", 0, fromAfar("3", alice, "203.0.113.7"), afar("203.0.113.7")},
		{"su over ssh", bob, fromAfar("3", alice, "203.0.113.7"), unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.enter(c.session)
			place, err := clients[c.uid].place(t, l)
			must(t, err)
			if place != c.want {
				t.Errorf("got %+v, want %+v", place, c.want)
			}
		})
	}
}

// What a process in no session proves.
func TestUnderServiceManager(t *testing.T) {
	f := startFake(startBus(t))
	l, _ := newLogind(t)
	clients := map[int]*client{0: newClient(t, 0), alice: newClient(t, alice)}
	seat := onSeat0("3", alice)
	manager := seat.with("Id", "4", "Class", "manager", "Seat", named{"", "/"})
	many := []string{"3"}
	for range maxLogins {
		many = append(many, "4")
	}
	for _, c := range []struct {
		name     string
		uid      int
		user     object
		sessions []object
		want     session.Place
	}{
		{"display", alice, userWith(alice, "3"), []object{seat}, console},
		// Nothing of a text console is run by the manager but what was left there, by whoever.
		{"text console", alice, userWith(alice, "3"), []object{seat.with("Type", "tty")}, unknown},
		{"display of no type", alice, userWith(alice, "3"), []object{seat.with("Type", "unspecified")}, unknown},
		{"X11", alice, userWith(alice, "3"), []object{seat.with("Type", "x11")}, console},
		{"display and a manager", alice, userWith(alice, "3", "4"), []object{seat, manager}, console},
		{"two on the seat", alice, userWith(alice, "3", "4"), []object{seat, onSeat0("4", alice)}, console},
		{"root", 0, userWith(0, "3"), []object{onSeat0("3", 0)}, unknown},
		{"and over ssh", alice, userWith(alice, "3", "4"), []object{seat, fromAfar("4", alice, "203.0.113.7")}, unknown},
		{"and over ssh, ended", alice, userWith(alice, "3", "4"), []object{seat, fromAfar("4", alice, "203.0.113.7").with("State", "closing")}, unknown},
		{"and over ssh, with a seat", alice, userWith(alice, "3", "4"), []object{seat, onSeat0("4", alice).with("Remote", true)}, unknown},
		{"and by xrdp", alice, userWith(alice, "3", "4"), []object{seat, onSeat0("4", alice).with("Seat", named{"", "/"})}, unknown},
		{"only over ssh", alice, userWith(alice, "3"), []object{fromAfar("3", alice, "203.0.113.7")}, unknown},
		{"display switched away", alice, userWith(alice, "3"), []object{seat.with("Active", false, "State", "online")}, session.Place{Session: "3@1", AddrKnown: true}},
		{"display is a greeter", alice, userWith(alice, "3"), []object{seat.with("Class", "greeter")}, unknown},
		{"display is another's", alice, userWith(alice, "3"), []object{onSeat0("3", bob)}, unknown},
		{"another's manager", alice, userWith(bob, "3"), []object{onSeat0("3", bob)}, unknown},
		{"no display", alice, userWith(alice, "3").with("Display", named{"", "/"}), []object{seat}, unknown},
		{"display is not a session", alice, userWith(alice, "3").with("Display", named{"5", sessionPath("5")}), []object{seat}, unknown},
		{"too many to look at", alice, userWith(alice, many...), []object{seat, manager}, unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.manage(c.user, c.sessions...)
			place, err := clients[c.uid].place(t, l)
			must(t, err)
			if place != c.want {
				t.Errorf("got %+v, want %+v", place, c.want)
			}
		})
	}
	t.Run("system service", func(t *testing.T) {
		f.put("", "")
		if place, err := clients[alice].place(t, l); err != nil || place != unknown {
			t.Errorf("got %+v, %v", place, err)
		}
	})
}

// An answer that is not as login1(5) says proves nothing.
func TestNonsense(t *testing.T) {
	f := startFake(startBus(t))
	l, j := newLogind(t)
	c := newClient(t, alice)
	seat := onSeat0("3", alice)
	refused := func(t *testing.T, want string) {
		t.Helper()
		place, err := c.place(t, l)
		if err == nil || place != unknown || !strings.Contains(err.Error(), want) {
			t.Errorf("got %+v, %v; want an error with %q", place, err, want)
		}
	}
	wrong := map[string]any{"Id": uint32(3), "User": "alice", "Class": true, "Type": 7, "State": 1, "Active": "yes", "Remote": "no",
		"RemoteHost": []string{"a"}, "Seat": "seat0"}
	for name, value := range wrong {
		t.Run(name, func(t *testing.T) {
			f.enter(seat)
			f.add(sessionPath("3"), seat.with(name, value))
			refused(t, name)
			without := seat.with()
			delete(without, name)
			f.add(sessionPath("3"), without)
			refused(t, name)
		})
	}
	for name, value := range map[string]any{
		"Seat": struct{ A, B, C string }{"seat0", "/", "c"},
		"User": struct {
			A uint64
			B dbus.ObjectPath
		}{alice, "/"},
	} {
		f.add(sessionPath("3"), seat.with(name, value))
		refused(t, name)
	}
	t.Run("session is gone", func(t *testing.T) {
		f.put(sessionPath("9"), "")
		refused(t, "GetAll")
	})
	for name, value := range map[string]any{"UID": int64(alice), "Display": "3", "Sessions": []string{"3"}} {
		t.Run(name, func(t *testing.T) {
			f.manage(userWith(alice, "3").with(name, value), seat)
			refused(t, name)
		})
	}
	t.Run("session is no path", func(t *testing.T) {
		must(t, f.conn.ExportMethodTable(map[string]any{"GetSessionByPID": func(uint32) (string, *dbus.Error) {
			return string(sessionPath("3")), nil
		}}, login1Path, login1Manager))
		refused(t, "GetSessionByPID")
	})
	if n, text := j.count("WARN"); n != 0 {
		t.Errorf("logind was there all the time:\n%s", text)
	}
}
