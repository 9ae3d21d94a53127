package logind

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/session"
)

var (
	console = session.Place{Session: "3@1", Owner: alice, AddrKnown: true, Local: policy.Yes, Alone: true}
	// hidden is a console that is in the background.
	hidden  = session.Place{Session: "3@1", Owner: alice, AddrKnown: true}
	noSeat  = session.Place{Session: "3@1", Owner: alice, Local: policy.No}
	unknown = session.Place{}
)

func afar(address string) session.Place {
	return session.Place{Session: "3@1", Owner: alice, Addr: netip.MustParseAddr(address), AddrKnown: true, Local: policy.No}
}

// beside is the console of somebody who is logged in elsewhere, too.
func beside(id string) session.Place {
	p := console
	p.Alone, p.Elsewhere = false, id
	return p
}

// maybe is a process of somebody's that comes from their display, or from elsewhere.
func maybe(id string) session.Place { return session.Place{Owner: alice, Elsewhere: id} }

// none is no seat, as logind says it.
var none = named{"", "/"}

// others are sessions by which somebody at seat0 is logged in a second time, and whether
// they may be somewhere else by it.
var others = map[string]struct {
	session object
	apart   bool
}{
	"over ssh":                {fromAfar("4", alice, "203.0.113.7"), true},
	"over ssh, just now":      {fromAfar("4", alice, "203.0.113.7").with("State", "opening"), true},
	"over ssh, idle":          {fromAfar("4", alice, "203.0.113.7").with("State", "online", "Active", false), true},
	"over ssh, ended":         {fromAfar("4", alice, "203.0.113.7").with("State", "closing"), false},
	"over ssh, with a seat":   {onSeat0("4", alice).with("Remote", true), true},
	"over ssh, as localhost":  {onSeat0("4", alice).with("RemoteHost", "localhost"), true},
	"by xrdp":                 {onSeat0("4", alice).with("Seat", none), true},
	"over ssh, class of cron": {fromAfar("4", alice, "203.0.113.7").with("Class", "background"), true},
	"by cron":                 {onSeat0("4", alice).with("Class", "background", "Seat", none), false},
	"by the service manager":  {onSeat0("4", alice).with("Class", "manager", "Seat", none), false},
	"on the same seat":        {onSeat0("4", alice).with("Active", false, "State", "online"), false},
	"on another seat":         {onSeat0("4", alice).with("Seat", named{"seat1", "/org/freedesktop/login1/seat/seat1"}), true},
}

// What a process in a session proves, said by a logind that can say anything.
func TestInSession(t *testing.T) {
	f := startFake(startBus(t))
	l, _ := newLogind(t)
	clients := map[int]*client{0: newClient(t, 0), alice: newClient(t, alice), bob: newClient(t, bob)}
	seat, rootConsole := onSeat0("3", alice), console
	rootConsole.Owner = 0
	for _, c := range []struct {
		name    string
		uid     int
		session object
		want    session.Place
	}{
		{"console", alice, seat, console},
		{"sudo at the console", 0, seat, console},
		{"su at the console", bob, seat, unknown},
		{"root's own", 0, onSeat0("3", 0).with("Class", "user-early"), rootConsole},
		{"another virtual terminal is shown", alice, seat.with("Active", false, "State", "online"), hidden},
		{"active, and yet not", alice, seat.with("State", "online"), hidden},
		{"closing", alice, seat.with("State", "closing"), unknown},
		{"opening", alice, seat.with("State", "opening"), unknown},
		{"greeter", alice, seat.with("Class", "greeter"), unknown},
		{"root in a greeter", 0, seat.with("Class", "greeter"), unknown},
		{"lock screen", alice, seat.with("Class", "lock-screen"), unknown},
		{"cron", alice, seat.with("Class", "background", "Seat", none), unknown},
		{"service manager", alice, seat.with("Class", "manager", "Seat", none), unknown},
		{"home locked", alice, seat.with("Class", "user-incomplete"), unknown},
		{"class of tomorrow", alice, seat.with("Class", "user-hologram"), unknown},
		{"xrdp", alice, seat.with("Seat", none), noSeat},
		{"ssh over IPv4", alice, fromAfar("3", alice, "203.0.113.7"), afar("203.0.113.7")},
		{"ssh over IPv6", alice, fromAfar("3", alice, "2001:db8::7"), afar("2001:db8::7")},
		{"ssh from a link", alice, fromAfar("3", alice, "fe80::7%eth0"), afar("fe80::7")},
		{"ssh over mapped IPv4", alice, fromAfar("3", alice, "::ffff:203.0.113.7"), afar("203.0.113.7")},
		{"ssh from a name", alice, fromAfar("3", alice, "laptop.example.com"), noSeat},
		{"ssh from nowhere", alice, fromAfar("3", alice, ""), noSeat},
		// pam_systemd(8) takes PAM_RHOST "localhost" as not remote.
		{"ssh from localhost", alice, fromAfar("3", alice, "localhost").with("Remote", false), noSeat},
		{"seat and host", alice, seat.with("RemoteHost", "laptop"), session.Place{Session: "3@1", Owner: alice}},
		// pam_env let users choose their seat (CVE-2025-6018).
		{"remote with a seat", alice, seat.with("Remote", true), noSeat},
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

// Who is at the console, and elsewhere too: what runs at the console may be used from
// there, tmux say, so it matters to keys; it is the console still.
func TestInSessionAndElsewhere(t *testing.T) {
	f := startFake(startBus(t))
	l, _ := newLogind(t)
	clients := map[string]*client{"alice": newClient(t, alice), "sudo": newClient(t, 0)}
	seat := onSeat0("3", alice)
	check := func(t *testing.T, want session.Place) {
		t.Helper()
		for name, c := range clients {
			if place, err := c.place(t, l); err != nil || place != want {
				t.Errorf("%s: got %+v, %v; want %+v", name, place, err, want)
			}
		}
	}
	for name, other := range others {
		t.Run(name, func(t *testing.T) {
			f.enter(seat, other.session)
			if other.apart {
				check(t, beside("4"))
			} else {
				check(t, console)
			}
		})
	}
	t.Run("ended meanwhile", func(t *testing.T) {
		f.enter(seat, fromAfar("4", alice, "203.0.113.7"))
		f.end("4")
		check(t, console)
	})
	t.Run("too many to look at", func(t *testing.T) {
		many := make([]object, maxLogins)
		for i := range many {
			many[i] = seat.with("Id", "4")
		}
		f.enter(seat, many...)
		check(t, beside(""))
	})
	t.Run("in the background", func(t *testing.T) {
		f.enter(seat.with("Active", false, "State", "online"), fromAfar("4", alice, "203.0.113.7"))
		check(t, hidden)
	})
}

// What a process in no session proves.
func TestUnderServiceManager(t *testing.T) {
	f := startFake(startBus(t))
	l, _ := newLogind(t)
	clients := map[int]*client{0: newClient(t, 0), alice: newClient(t, alice)}
	seat, rootConsole := onSeat0("3", alice), console
	rootConsole.Owner = 0
	many := []string{"3"}
	for range maxLogins {
		many = append(many, "4")
	}
	type row struct {
		name     string
		uids     []int
		user     object
		sessions []object
		want     session.Place
	}
	both, root, her := []int{alice, 0}, []int{0}, []int{alice}
	rows := []row{
		{"display", both, userWith(alice, "3"), []object{seat}, console},
		// Nothing of a text console is run by the manager but what was left there, by whoever.
		{"text console", both, userWith(alice, "3"), []object{seat.with("Type", "tty")}, unknown},
		{"display of no type", both, userWith(alice, "3"), []object{seat.with("Type", "unspecified")}, unknown},
		{"X11", both, userWith(alice, "3"), []object{seat.with("Type", "x11")}, console},
		{"root's display", root, userWith(0, "3"), []object{onSeat0("3", 0)}, rootConsole},
		{"only over ssh", both, userWith(alice, "3"), []object{fromAfar("3", alice, "203.0.113.7")}, unknown},
		{"display has a host", both, userWith(alice, "3"), []object{seat.with("RemoteHost", "localhost")}, unknown},
		{"display switched away", both, userWith(alice, "3"), []object{seat.with("Active", false, "State", "online")}, session.Place{Session: "3@1", Owner: alice, AddrKnown: true, Alone: true}},
		{"display is closing", both, userWith(alice, "3"), []object{seat.with("State", "closing")}, unknown},
		{"display is a greeter", both, userWith(alice, "3"), []object{seat.with("Class", "greeter")}, unknown},
		{"display is another's", both, userWith(alice, "3"), []object{onSeat0("3", bob)}, unknown},
		{"another's manager", her, userWith(bob, "3"), []object{onSeat0("3", bob)}, unknown},
		{"no display", both, userWith(alice, "3").with("Display", none), []object{seat}, unknown},
		{"display is not a session", both, userWith(alice, "3").with("Display", named{"5", sessionPath("5")}), []object{seat}, unknown},
		{"too many to look at", both, userWith(alice, many...), []object{seat, onSeat0("4", alice)}, unknown},
	}
	for name, other := range others {
		want := console
		if other.apart {
			want = maybe("4")
		}
		rows = append(rows, row{"and " + name, both, userWith(alice, "3", "4"), []object{seat, other.session}, want})
	}
	for _, c := range rows {
		for _, uid := range c.uids {
			t.Run(fmt.Sprint(c.name, " as ", uid), func(t *testing.T) {
				f.manage(c.user, c.sessions...)
				if place, err := clients[uid].place(t, l); err != nil || place != c.want {
					t.Errorf("got %+v, %v, want %+v", place, err, c.want)
				}
			})
		}
	}
	t.Run("and over ssh, ended meanwhile", func(t *testing.T) {
		f.manage(userWith(alice, "3", "4"), seat)
		f.end("4")
		if place, err := clients[0].place(t, l); err != nil || place != console {
			t.Errorf("got %+v, %v", place, err)
		}
	})
	t.Run("system service", func(t *testing.T) {
		f.put("", "")
		for uid, c := range clients {
			if place, err := c.place(t, l); err != nil || place != unknown {
				t.Errorf("uid %d: got %+v, %v", uid, place, err)
			}
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
