package conf

import "path/filepath"

// Audit is [audit].
type Audit struct {
	Strict bool   // a login whose record journald or File did not take is refused
	File   string // JSON lines are appended here; "": nowhere
}

func readAudit(t *table) Audit {
	defer t.done()
	a := Audit{Strict: t.truth("strict", false)}
	a.File, _ = t.text("file")
	switch {
	case a.File == "":
	case !isPrintable(a.File):
		t.fail("file", "", "%q has a character that can't be shown", a.File)
	case !filepath.IsAbs(a.File) || filepath.Clean(a.File) != a.File || a.File == "/":
		t.fail("file", `write it like "/var/log/factord.jsonl"`, "%q is not the absolute path of a file", a.File)
	}
	return a
}
