package factor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what factors keep, in bytes.
const (
	// MaxRecord is the longest record.
	MaxRecord = 8 << 10
	// MaxName is the longest name that a user gives to one.
	MaxName = 64
)

// Decode reads a record of JSON completely or not at all: what an older or newer
// program wrote must not be half understood. Its errors do not quote the record.
func (r Record) Decode(into any) error {
	if len(r.Value) > MaxRecord {
		return fmt.Errorf("longer than %d bytes", MaxRecord)
	}
	d := json.NewDecoder(bytes.NewReader(r.Value))
	d.DisallowUnknownFields()
	if d.Decode(into) != nil {
		return errors.New("not a record of this version")
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("trailing data")
	}
	return nil
}

// Number is the number in a record's id such as "backup-3", whose kind is
// "backup"; 0 if it is none.
func Number(id, kind string) uint64 {
	n, err := strconv.ParseUint(strings.TrimPrefix(id, kind+"-"), 10, 32)
	if err != nil || id != kind+"-"+strconv.FormatUint(n, 10) {
		return 0
	}
	return n
}

// CheckName holds for the names that users give to records. They are shown in
// terminals, so what is not seen must not be in them.
func CheckName(name string) error {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case name == "" || len(name) > MaxName:
		return fmt.Errorf("name is not of 1 to %d bytes", MaxName)
	case !utf8.ValidString(name), strings.ContainsFunc(name, hidden), name != strings.TrimSpace(name):
		return fmt.Errorf("name %q has characters that can't be seen", name)
	}
	return nil
}
