package conf

import (
	"path/filepath"
	"strings"
)

// Audit is [audit]: copies of the audit records, which factord itself keeps in
// its database.
type Audit struct {
	Strict bool   // a login whose copy was not taken is refused
	File   string // JSON lines; empty: none
	Line   int    // of File
}

func readAudit(t *table) Audit {
	defer t.done()
	a := Audit{Strict: t.truth("strict", false)}
	if file, ok := t.text("file"); ok {
		if !filepath.IsAbs(file) || filepath.Clean(file) != file {
			t.fail("file", `"/var/log/factord/audit.jsonl", say`, "%q is not a clean absolute path", file)
		}
		a.File, a.Line = file, t.line("file")
	}
	return a
}

// Apart is an error if copies are to be written into the folder of factord's
// state: a line more, and the seal key or the database opens no more. name is the
// configuration's.
func (a Audit) Apart(name, state string) error {
	if a.File == "" {
		return nil
	}
	folders := []string{state}
	if full, err := filepath.Abs(state); err == nil {
		folders = append(folders, full)
		if real, err := filepath.EvalSymlinks(full); err == nil {
			folders = append(folders, real)
		}
	}
	for _, folder := range folders {
		if strings.HasPrefix(a.File+"/", strings.TrimSuffix(filepath.Clean(folder), "/")+"/") {
			return &Error{File: name, Line: a.Line, Key: "file", What: a.File + " is in " + folder + ", which has factord's own state",
				Hint: "/var/log/factord/audit.jsonl, say"}
		}
	}
	return nil
}
