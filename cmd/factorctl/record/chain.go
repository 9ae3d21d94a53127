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

// maxSeen is how many records a restore may set the numbers back and still be
// compared with what it builds on.
const maxSeen = 100_000

// Chain is what a check of a copy has come to.
type Chain struct {
	Records     uint64 // that are in the chain
	First, Last uint64 // the numbers of the first and the last line of it
	Refusals    uint64 // lines that are in no chain: nothing vouches for them
	// Restores are the places where a database was restored: the chain begins
	// again at an older record, and nothing vouches for the one before.
	Restores []string
	Bad      []string
}

// Verify checks a copy of audit records, a line each: the prev of each is the
// SHA-256 of the line before. Lines without a seq are of refusals before any
// factor, which have no place in the chain. A copy may begin anywhere: nobody
// can tell what was before it, or after its last line.
func Verify(lines io.Reader) (Chain, error) {
	v := verifier{seen: map[uint64][]byte{}}
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
	Kind string  `json:"kind"`
}

type verifier struct {
	Chain
	line uint64            // lines so far
	at   uint64            // the line of the newest record
	hash []byte            // of the newest record; nil: not known
	seen map[uint64][]byte // hashes of records, by number
	// sure: the newest record's number follows that of the one before.
	sure bool
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
	switch {
	case l.Seq != nil:
		v.record(*l.Seq, l, sha256.Sum256(line))
	case l.Kind == "refused", l.Kind == "answer":
		v.Refusals++
	default:
		v.bad("line %d has no number, and is of no refusal: it was added or changed", v.line)
	}
}

// record takes a record of the chain.
func (v *verifier) record(seq uint64, l link, hash [sha256.Size]byte) {
	next, prev := v.Last+1, l.Prev
	if seq != next { // it does not tell which of two before it was changed
		prev = nil
	}
	v.settle(prev)
	fits, known := bytes.Equal(l.Prev, v.hash), hash[:]
	sure := seq == next
	switch {
	case v.Records == 0:
		v.First = seq
	case l.Kind == "restore" && seq <= v.Last:
		sure = v.restored(seq, l.Prev)
	case v.hash == nil: // a bad line comes before
	case seq != next && fits: // nothing was between them, nor is it in another place
		v.bad("line %d was changed: its number is %d, after record %d", v.line, seq, v.Last)
		seq, known = next, nil
	case seq > next && v.sure:
		v.bad("line %d: before it %s missing", v.line, span(next, seq-1))
	case seq > next:
		v.bad("line %d: before it %s missing, or the number of line %d was changed", v.line, span(next, seq-1), v.at)
	case seq < next:
		v.bad("line %d: record %d comes after record %d of line %d; one of them was changed, or is in the wrong place", v.line, seq, v.Last, v.at)
	case !fits:
		v.doubt, v.was = true, v.at
	}
	v.Records, v.Last, v.hash, v.at, v.sure = v.Records+1, seq, known, v.line, sure
	v.remember(seq, known)
}

// remember keeps the hashes of the newest numbers. Numbers that leap are of no
// copy of factord's.
func (v *verifier) remember(seq uint64, hash []byte) {
	if len(v.seen) > 2*maxSeen {
		clear(v.seen)
	}
	v.seen[seq] = hash
	delete(v.seen, seq-maxSeen)
}

// restored takes the record of a restore, which sets the numbers back, and reports
// whether its place is known: it follows the record of the backup that the copy
// has too.
func (v *verifier) restored(seq uint64, prev []byte) bool {
	before := v.seen[seq-1]
	if before != nil && !bytes.Equal(before, prev) {
		v.bad("line %d: restored from a backup, but what it follows is not record %d of this file; one of them was changed", v.line, seq-1)
		return false
	}
	text := fmt.Sprintf("line %d: restored from a backup: numbers begin again at %d, and nothing vouches for record %d before it", v.line, seq, v.Last)
	if before == nil && seq > 1 {
		text += fmt.Sprintf("; record %d is not in this file", seq-1)
	}
	v.Restores = append(v.Restores, text)
	return before != nil
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
