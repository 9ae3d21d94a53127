package conf

import "path/filepath"

// Audit is [audit]: copies of the audit records, which factord itself keeps in
// its database.
type Audit struct {
	Strict bool   // a login whose copy was not taken is refused
	File   string // JSON lines; empty: none
}

func readAudit(t *table) Audit {
	defer t.done()
	a := Audit{Strict: t.truth("strict", false)}
	if file, ok := t.text("file"); ok {
		if !filepath.IsAbs(file) || filepath.Clean(file) != file {
			t.fail("file", `"/var/log/factord/audit.jsonl", say`, "%q is not a clean absolute path", file)
		}
		a.File = file
	}
	return a
}
