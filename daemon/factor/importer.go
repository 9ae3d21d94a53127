package factor

import "time"

// Importer is a factor that takes many records at once, as another program wrote them
// down. Nobody can check whose they are, so only root imports.
type Importer interface {
	Factor
	// Import reads a file and who has what of it, and keeps nothing yet. Errors name
	// the line; they quote no secret, nor what stands where a secret could.
	Import(i Import) (Batch, error)
}

// Import is a wish for many records.
type Import struct {
	// File has the secrets.
	File Secret
	// User has all of them, or, if that is empty, Owners has a line for each.
	User   string
	Owners Secret
	// Origin is whom its keys were enrolled at, if the file does not say it: pam_u2f's
	// option of that name.
	Origin string
}

// Batch are the records of an import.
type Batch struct {
	// Users are who gets something, as they were named, each once.
	Users []string
	// Where says of each of them where they are named, if a file does: "line 2 of the users".
	Where map[string]string
	// Note is what root should know of all of them: what was assumed.
	Note string
	// Left is how many of the file are nobody's.
	Left int
	// Commit keeps all of them or none. of is what the factor keeps for one of Users.
	Commit func(of func(user string) Records, now time.Time) ([]Imported, error)
}

// Imported is a record that an import has made.
type Imported struct {
	User string `json:"user"`
	ID   string `json:"id"`
	Name string `json:"name"`
	// Already: it was kept before, as ID, and nothing has changed.
	Already bool `json:"already,omitempty"`
	// Note is what root should know of it.
	Note string `json:"note,omitempty"`
	// Detail is by what else it is known: public-id, serial.
	Detail map[string]string `json:"detail,omitempty"`
}
