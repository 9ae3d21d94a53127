package yubico

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/factord/factord/daemon/factor"
)

// Limits of a file with keys. A line of a real one has some 120 bytes.
const (
	maxRows   = 1000
	maxSerial = 20 // digits
)

// Columns of such a file. The access code and the times behind them are of no use here.
const (
	columnSerial = iota
	columnPublicID
	columnPrivateID
	columnAESKey
	minColumns = 6
	maxColumns = 8
)

// row is one key of a file.
type row struct {
	line     int
	serial   string // without leading zeros; "" if it has none
	publicID string
	secrets  *local
	user     string // "": nobody's
	given    int    // the line of the users that says so; 0: there is none
	name     string
}

// parseKeys reads what two programs write when they make keys, a key on each line:
//
//	yubikey-ksm  serial,public id,private id,AES key,access code,created,accessed[,flags] # comment
//	ykman        serial,public id,private id,AES key,access code,time,
//
// Somebody may have given the wrong file, or one with its columns swapped, so what
// stands in it is never quoted.
func parseKeys(file factor.Secret) ([]*row, error) {
	if bytes.Contains(file, []byte("-----BEGIN PGP")) {
		return nil, fmt.Errorf("the file is encrypted or signed\nhint: gpg --decrypt FILE | factorctl import /dev/stdin …")
	}
	var rows []*row
	for at, fields := range lines(file) {
		if len(rows) == maxRows {
			return nil, fmt.Errorf("line %d of the keys: there are more than %d\nhint: split the file", at, maxRows)
		}
		r, err := parseRow(fields)
		if hint := foreign(fields); err != nil && hint != "" {
			return nil, fmt.Errorf("line %d of the keys: %s", at, hint)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d of the keys: %w", at, err)
		}
		r.line = at
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("the file has no keys")
	}
	return rows, unlike(rows)
}

// foreign says of a line that is none of a key what it is instead, if that is clear.
func foreign(fields [][]byte) string {
	first := strings.ToLower(string(fields[0]))
	switch {
	case first == "logging start", first == "yubico otp", first == "oath-hotp", first == "static password", strings.HasPrefix(first, "challenge-response"):
		return "it is of the Personalization Tool's traditional log\nhint: choose the log format \"Yubico\" there, in its settings, before keys are programmed; of those that are, write lines like SERIAL,PUBLIC-ID,PRIVATE-ID,AES-KEY,,,"
	case isHeader(fields):
		return "it names columns\nhint: take the line out, or put # before it"
	}
	return ""
}

// isHeader holds for a line of names, in which there is no digit, and so no secret.
func isHeader(fields [][]byte) bool {
	all := bytes.Join(fields, nil)
	return len(fields) > 1 && !bytes.ContainsAny(all, decimal) && bytes.ContainsAny(fields[0], letters)
}

const (
	decimal = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// byteOrderMark is what some editors write before a text in UTF-8.
const byteOrderMark = "\ufeff"

// lines are the lines of a file that say something, by their numbers from 1, each
// split at its commas.
func lines(file []byte) func(yield func(int, [][]byte) bool) {
	return func(yield func(int, [][]byte) bool) {
		at, file := 0, bytes.TrimPrefix(file, []byte(byteOrderMark))
		for line := range bytes.Lines(file) {
			at++
			line, _, _ = bytes.Cut(line, []byte{'#'})
			if line = bytes.TrimSpace(line); len(line) == 0 {
				continue
			}
			fields := bytes.SplitN(line, []byte{','}, maxColumns+1)
			for i := range fields {
				fields[i] = bytes.TrimSpace(fields[i])
			}
			if !yield(at, fields) {
				return
			}
		}
	}
}

func parseRow(fields [][]byte) (*row, error) {
	if len(fields) < minColumns || len(fields) > maxColumns {
		return nil, fmt.Errorf("it has not %d to %d columns\nhint: a line is like SERIAL,PUBLIC-ID,PRIVATE-ID,AES-KEY,ACCESS-CODE,TIME,", minColumns, maxColumns)
	}
	r := &row{serial: string(bytes.TrimLeft(fields[columnSerial], "0")), publicID: strings.ToLower(string(fields[columnPublicID]))}
	if !isSerial(fields[columnSerial]) {
		return nil, fmt.Errorf("column %d is no serial number", columnSerial+1)
	}
	if checkPublicID(r.publicID) != nil { // whose text would quote it
		return nil, fmt.Errorf("column %d is no public id: 2 to %d characters of %q, an even number", columnPublicID+1, maxPublicID, modhex)
	}
	both := slices.Concat(fields[columnPrivateID], []byte{' '}, fields[columnAESKey])
	defer clear(both)
	var err error
	r.secrets, err = parseSecrets(both)
	return r, err
}

// isSerial holds for the number of a key, which may be left out.
func isSerial(text []byte) bool {
	return len(text) <= maxSerial && len(bytes.Trim(text, "0123456789")) == 0
}

// unlike reports whether all keys differ.
func unlike(rows []*row) error {
	before := newKnown()
	for _, r := range rows {
		if other, found := before.find(r.publicID, r.secrets); found {
			return fmt.Errorf("line %d of the keys: it has the public id or the secrets of line %d", r.line, other.line)
		}
		before.add(r.publicID, r.secrets, seen{line: r.line})
	}
	return nil
}

// known are keys of which it can be told quickly whether another is the same, as
// key.same has it, and where each was seen.
type known struct {
	publicIDs map[string]seen
	secrets   map[[sha256.Size]byte]seen // by a hash: a map compares in variable time
}

// seen is on which line a key was, or whose it is.
type seen struct {
	line     int
	user, id string
}

func newKnown() *known {
	return &known{map[string]seen{}, map[[sha256.Size]byte]seen{}}
}

func (l *local) sum() [sha256.Size]byte {
	both := slices.Concat(l.PrivateID, l.AESKey)
	defer clear(both)
	return sha256.Sum256(both)
}

func (n *known) add(publicID string, l *local, where seen) {
	n.publicIDs[publicID] = where
	if l != nil {
		n.secrets[l.sum()] = where
	}
}

func (n *known) find(publicID string, l *local) (where seen, found bool) {
	if where, found = n.publicIDs[publicID]; !found && l != nil {
		where, found = n.secrets[l.sum()]
	}
	return where, found
}
