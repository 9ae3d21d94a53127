package record

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
)

// maxLine is the longest line of a copy, in bytes; factord's own are under 8 kB.
const maxLine = 1 << 20

// Chain is what a check of a copy has come to.
type Chain struct {
	Records     uint64 // that are in the chain
	First, Last uint64 // their numbers
	Bad         []string
}

// Verify checks a copy of audit records, a line each: the prev of each is the
// SHA-256 of the line before. Lines without a seq are of refusals before any
// factor, which have no place in the chain. A copy may begin anywhere: nobody
// can tell what was before it, or after its last line.
func Verify(lines io.Reader) (Chain, error) {
	v := verifier{}
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		v.line++
		v.add(scanner.Bytes())
	}
	v.settle(nil)
	return v.Chain, scanner.Err()
}

// link is a record's place in the chain.
type link struct {
	Seq  *uint64 `json:"seq"`
	Prev []byte  `json:"prev"`
}

type verifier struct {
	Chain
	line uint64 // lines so far
	at   uint64 // the line of the newest record
	hash []byte // of the newest record; nil: not known
	// doubt: the newest record, or the one before it, at line was, is not what
	// it was. The next record tells which.
	doubt bool
	was   uint64
}

func (v *verifier) bad(format string, args ...any) {
	v.Bad = append(v.Bad, fmt.Sprintf(format, args...))
}

// add takes a line.
func (v *verifier) add(line []byte) {
	if len(line) == 0 {
		return // after a line that was cut off
	}
	var l link
	if err := json.Unmarshal(line, &l); err != nil {
		v.bad("line %d is no record: it was changed or cut off", v.line)
		v.settle(nil)
		v.hash = nil // so what follows can't be compared
		return
	}
	if l.Seq == nil {
		return
	}
	v.settle(l.Prev)
	switch {
	case v.Records == 0:
		v.First = *l.Seq
	case v.hash == nil: // a bad line comes before
	case *l.Seq > v.Last+1:
		v.bad("line %d: before it %s missing", v.line, span(v.Last+1, *l.Seq-1))
	case *l.Seq <= v.Last:
		v.bad("line %d: record %d comes after record %d", v.line, *l.Seq, v.Last)
	case !bytes.Equal(l.Prev, v.hash):
		v.doubt, v.was = true, v.at
	}
	hash := sha256.Sum256(line)
	v.Records, v.Last, v.hash, v.at = v.Records+1, *l.Seq, hash[:], v.line
}

func span(from, to uint64) string {
	if from == to {
		return fmt.Sprintf("record %d is", from)
	}
	return fmt.Sprintf("records %d to %d are", from, to)
}

// settle names the changed one of two records: the older, if the record after
// both has the newer's hash.
func (v *verifier) settle(prev []byte) {
	switch {
	case !v.doubt:
		return
	case prev == nil:
		v.bad("line %d or line %d was changed (records %d and %d)", v.was, v.at, v.Last-1, v.Last)
	case bytes.Equal(prev, v.hash):
		v.bad("line %d was changed (record %d)", v.was, v.Last-1)
	default:
		v.bad("line %d was changed (record %d)", v.at, v.Last)
		v.hash = prev // that has been said
	}
	v.doubt = false
}
