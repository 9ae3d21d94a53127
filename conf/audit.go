package conf

// Audit is [audit]: copies of the audit records, which factord itself keeps in
// its database.
type Audit struct {
	Strict bool // a login whose copy was not taken is refused
}

// readAudit refuses to promise copies, which this factord does not make: who
// asks for them in strict mode must not believe to have them.
func readAudit(t *table) Audit {
	defer t.done()
	a := Audit{Strict: t.truth("strict", false)}
	if a.Strict {
		t.fail("strict", "leave it out; factorctl audit shows the records", "this factord makes no copies of its audit records")
	}
	return a
}
