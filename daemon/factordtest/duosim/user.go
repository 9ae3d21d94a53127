package duosim

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"maps"
	"slices"
	"strings"
	"time"
)

// Status of a user, in preauth's words where it has one.
type Status string

const (
	Active    Status = ""       // has to prove a factor, if there is a device; else may enroll
	Bypass    Status = "allow"  // is let in without one
	Disabled  Status = "deny"   // is not let in
	Enroll    Status = "enroll" // is told where to enroll
	LockedOut Status = "locked_out"
)

// Answer of a person to a push or call.
type Answer string

const (
	Wait     Answer = "" // until told
	Approved Answer = "approve"
	Denied   Answer = "deny"
	Reported Answer = "fraud"
)

// User of the simulated account.
type User struct {
	Name    string
	ID      string // Duo's user_id; made from the name when empty
	Status  Status
	Devices []Device

	Answer Answer        // instead of Config.Answer
	After  time.Duration // the delay of Answer

	Passcodes   []string // of a token or app; each good once
	BypassCodes []string // from an administrator; each good once
	LockAfter   int      // wrong passcodes until LockedOut; never when zero
}

// Device of a user.
type Device struct {
	ID           string // made from user and name when empty
	Type         string // phone or token
	Name         string
	Number       string // in full; clients see its end
	Capabilities []string
	Unreachable  bool // pushes to it fail to arrive, and time out
}

// Phone is a smartphone that can do everything.
func Phone(name, number string) Device {
	return Device{Type: "phone", Name: name, Number: number, Capabilities: []string{"auto", "push", "sms", "phone", "mobile_otp"}}
}

// Token is a hardware token: its passcodes are all that it has.
func Token(name string) Device { return Device{Type: "token", Name: name} }

// display is the name as Duo shows it: with the end of the number.
func (d Device) display() string {
	name := d.Name
	if name == "" {
		name = d.Type
	}
	if n := d.masked(); n != "" {
		return name + " (" + n + ")"
	}
	return name
}

// masked shows the last four digits.
func (d Device) masked() string {
	if len(d.Number) < 4 {
		return ""
	}
	return "XXX-XXX-" + d.Number[len(d.Number)-4:]
}

func (d Device) can(factor string) bool { return slices.Contains(d.Capabilities, factor) }

// accounts are the users, found by name and by ID. Server.mu guards them.
type accounts struct {
	byName, byID map[string]*account
}

type account struct {
	User
	wrong  int      // passcodes in a row
	sent   []string // passcodes by SMS, each good once
	enroll string   // activation code that nobody has used yet
	until  time.Time
}

func (a *accounts) init() { a.byName, a.byID = map[string]*account{}, map[string]*account{} }

func (a *accounts) put(u User) *account {
	u.Devices = slices.Clone(u.Devices)
	u.Passcodes = slices.Clone(u.Passcodes)
	u.BypassCodes = slices.Clone(u.BypassCodes)
	if u.ID == "" {
		u.ID = identifier("DU", u.Name)
	}
	for i := range u.Devices {
		d := &u.Devices[i]
		if d.ID == "" {
			d.ID = identifier("DP", u.Name+"/"+d.Name+d.Number)
		}
	}
	if old := a.byName[u.Name]; old != nil {
		delete(a.byID, old.ID)
	}
	n := &account{User: u}
	a.byName[u.Name], a.byID[u.ID] = n, n
	return n
}

// AddUser adds a user, or replaces the one of that name.
func (s *Server) AddUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts.put(u)
}

// RemoveUser forgets a user.
func (s *Server) RemoveUser(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts.byName[name]; a != nil {
		delete(s.accounts.byName, name)
		delete(s.accounts.byID, a.ID)
	}
}

// SentPasscodes are the passcodes sent to a user by SMS and not used yet.
func (s *Server) SentPasscodes(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts.byName[name]; a != nil {
		return slices.Clone(a.sent)
	}
	return nil
}

// identifier is twenty characters as Duo's are, the same in every run.
func identifier(prefix, name string) string {
	sum := sha256.Sum256([]byte(prefix + "\x00" + name))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:18]
}

// random is n letters and digits that nobody can guess.
func random(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(rand.Text())
	}
	return b.String()[:n]
}

// Users are all that are known, by name.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []User
	for _, name := range slices.Sorted(maps.Keys(s.accounts.byName)) {
		u := s.accounts.byName[name].User
		u.Devices, u.Passcodes, u.BypassCodes = slices.Clone(u.Devices), slices.Clone(u.Passcodes), slices.Clone(u.BypassCodes)
		all = append(all, u)
	}
	return all
}
