package key

import (
	"fmt"
	"unicode/utf8"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/wire/agent"
)

// Name is how people are told of a key: by the serial number that is printed on it.
func Name(serial uint32) string {
	if serial == 0 {
		return "your YubiKey"
	}
	return fmt.Sprintf("YubiKey %d", serial)
}

// Named is Name for Asking.Key: who has proven nothing does not learn which key it is.
func Named(l factor.Login, serial uint32) string {
	if !l.Proven {
		return ""
	}
	return Name(serial)
}

// Queue is Job.Queue of a key; those that show no serial number wait for each other.
func Queue(serial uint32) string { return fmt.Sprintf("serial %d", serial) }

// Queues is Queue of several keys.
func Queues(serials []uint32) (all []string) {
	for _, n := range serials {
		all = append(all, Queue(n))
	}
	return all
}

// maxFor bounds what others who wait hear of a login, in bytes.
const maxFor = 32

// For is Job.For: the service, as others hear of it who wait for the same key.
func For(l factor.Login) string {
	s := l.Service
	for len(s) > maxFor {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	if s == "" {
		return "another login"
	}
	return s
}

func (a *Asking) name() string {
	if a.Key == "" {
		return "your key"
	}
	return a.Key
}

// touches reports whether the key waits for a touch now. One that is to type does as
// soon as it is listened to.
func (a *Asking) touches() bool {
	return a.state.State == agent.Touch || a.state.State == agent.Ready && a.Job.Verb == agent.Capture
}

// tells reports whether there is something to tell the person.
func (a *Asking) tells() bool {
	return a.touches() || a.state.Ahead != "" || a.state.State == agent.Absent || a.state.State == agent.Busy
}

// cue says what to do.
func (a *Asking) cue() string {
	name, s := a.name(), a.state
	switch {
	case s.Ahead != "":
		return fmt.Sprintf("Touch %s for %s first, then again for this", name, s.Ahead)
	case s.State == agent.Absent && a.Untouched:
		return "Plug in " + name
	case s.State == agent.Absent:
		return fmt.Sprintf("Plug in %s, then touch it", name)
	case s.State == agent.Busy && a.Untouched:
		return fmt.Sprintf("Another program holds %s: close it", name)
	case s.State == agent.Busy:
		return fmt.Sprintf("Another program holds %s: close it, then touch the key", name)
	case a.touches() && s.Behind != "":
		return fmt.Sprintf("Touch %s for this; %s waits for the next touch", name, s.Behind)
	case a.touches():
		return "Touch " + name
	}
	return "Waiting for " + name
}
