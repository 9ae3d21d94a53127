package authapi

import (
	"errors"
	"strings"
)

// Person is how Duo knows a user: by exactly one of its username and its user_id.
type Person struct{ Username, UserID string }

// put writes the parameter that names the person.
func (p Person) put(params map[string]string) error {
	switch {
	case p.UserID != "":
		params["user_id"] = p.UserID
	case p.Username != "":
		params["username"] = p.Username
	default:
		return errors.New("nobody is named")
	}
	return nil
}

// Placeholder stands for the user's name on this machine in Names.Template.
const Placeholder = "{user}"

// Names says who is who. The maps hold names of this machine. An id goes before a
// mapped name, which is taken as written, and that before the template.
type Names struct {
	Template string // "": the name itself
	Map      map[string]string
	IDs      map[string]string
}

// Person returns whom a user of this machine is at Duo.
func (n Names) Person(user string) Person {
	if id := n.IDs[user]; id != "" {
		return Person{UserID: id}
	}
	if name := n.Map[user]; name != "" {
		return Person{Username: name}
	}
	if n.Template == "" {
		return Person{Username: user}
	}
	return Person{Username: strings.ReplaceAll(n.Template, Placeholder, user)}
}
