package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// chainLines are n records from the given number on, as factord writes them.
func chainLines(from, n int) (lines []string) {
	prev := []byte("of the one before")
	for seq := from; seq < from+n; seq++ {
		hash, _ := json.Marshal(prev)
		line := fmt.Sprintf(`{"seq":%d,"time":"2026-01-31T10:00:00Z","kind":"verdict","user":"alice","peer_uid":0,"prev":%s}`, seq, hash)
		lines = append(lines, line)
		sum := sha256.Sum256([]byte(line))
		prev = sum[:]
	}
	return lines
}

func TestVerify(t *testing.T) {
	const refusal = `{"time":"2026-01-31T10:00:00Z","kind":"refused","peer_uid":0}`
	for name, test := range map[string]struct {
		spoil func(lines []string) []string
		want  []string
	}{
		"whole":     {func(l []string) []string { return l }, nil},
		"empty":     {func(l []string) []string { return nil }, nil},
		"rotated":   {func(l []string) []string { return l[4:] }, nil},
		"refusals":  {func(l []string) []string { return slices.Insert(slices.Insert(l, 3, refusal), 0, refusal) }, nil},
		"flipped":   {func(l []string) []string { l[4] = strings.Replace(l[4], "alice", "alicf", 1); return l }, []string{"line 5 was changed (record 14)"}},
		"flipped 1": {func(l []string) []string { l[0] = strings.Replace(l[0], "alice", "alicf", 1); return l }, []string{"line 1 was changed (record 10)"}},
		"flipped last but one": {func(l []string) []string { l[8] = strings.Replace(l[8], "alice", "alicf", 1); return l },
			[]string{"line 9 or line 10 was changed (records 18 and 19)"}},
		"other hash": {func(l []string) []string { l[4] = strings.Replace(l[4], `"prev":"`, `"prev":"AAAA`, 1); return l }, []string{"line 5 was changed (record 14)"}},
		"two": {func(l []string) []string {
			l[2], l[6] = strings.Replace(l[2], "a", "b", 1), strings.Replace(l[6], "a", "b", 1)
			return l
		}, []string{"line 3 was changed (record 12)", "line 7 was changed (record 16)"}},
		"dropped":  {func(l []string) []string { return slices.Delete(l, 4, 5) }, []string{"line 5: before it record 14 is missing"}},
		"more":     {func(l []string) []string { return slices.Delete(l, 4, 7) }, []string{"line 5: before it records 14 to 16 are missing"}},
		"swapped":  {func(l []string) []string { l[4], l[5] = l[5], l[4]; return l }, []string{"line 5: before it record 14 is missing", "line 6: record 14 comes after record 15 of line 5; one of them was changed, or is in the wrong place", "line 7: before it record 15 is missing, or the number of line 6 was changed"}},
		"twice":    {func(l []string) []string { return slices.Insert(l, 5, l[4]) }, []string{"line 6: record 14 comes after record 14 of line 5; one of them was changed, or is in the wrong place"}},
		"cut off":  {func(l []string) []string { l[4] = l[4][:40]; return l }, []string{"line 5 is no record: it was changed or cut off"}},
		"not JSON": {func(l []string) []string { l[9] = "x"; return l }, []string{"line 10 is no record: it was changed or cut off"}},
		"unnumbered": {func(l []string) []string {
			return slices.Insert(l, 3, `{"time":"2026-01-31T10:00:00Z","kind":"verdict","user":"mallory","verdict":"allow","peer_uid":0}`)
		}, []string{"line 4 has no number, and is of no refusal: it was added or changed"}},
		"no number": {func(l []string) []string { l[4] = strings.Replace(l[4], `"seq"`, `"sfq"`, 1); return l },
			[]string{"line 5 has no number, and is of no refusal: it was added or changed", "line 6: before it record 14 is missing"}},
		"number up":   {renumber(4, 14, 99), []string{"line 5 was changed: its number is 99, after record 13"}},
		"number down": {renumber(4, 14, 4), []string{"line 5 was changed: its number is 4, after record 13"}},
		"last number": {renumber(9, 19, 18), []string{"line 10 was changed: its number is 18, after record 18"}},
		"first number up": {renumber(0, 10, 17),
			[]string{"line 2: record 11 comes after record 17 of line 1; one of them was changed, or is in the wrong place"}},
		"first number down": {renumber(0, 10, 5),
			[]string{"line 2: before it records 6 to 10 are missing, or the number of line 1 was changed"}},
	} {
		t.Run(name, func(t *testing.T) {
			lines := test.spoil(chainLines(10, 10))
			chain, err := Verify(strings.NewReader(strings.Join(lines, "\n") + "\n"))
			if err != nil || !slices.Equal(chain.Bad, test.want) {
				t.Errorf("%q, %v\nwant %q", chain.Bad, err, test.want)
			}
			if name == "refusals" && (chain.Records != 10 || chain.First != 10 || chain.Last != 19 || chain.Refusals != 2) {
				t.Errorf("%+v", chain)
			}
		})
	}
	if _, err := Verify(strings.NewReader(strings.Repeat("x", maxLine+1))); err == nil {
		t.Error("a line without an end was read")
	}
}

// renumber gives a line another number.
func renumber(line, from, to int) func([]string) []string {
	return func(l []string) []string {
		l[line] = strings.Replace(l[line], fmt.Sprintf(`"seq":%d`, from), fmt.Sprintf(`"seq":%d`, to), 1)
		return l
	}
}

// next are records that follow a line, the first of the given kind.
func next(line string, seq, n int, kind string) (lines []string) {
	for ; n > 0; n-- {
		hash := sha256.Sum256([]byte(line))
		prev, _ := json.Marshal(hash[:])
		line = fmt.Sprintf(`{"seq":%d,"time":"2026-01-31T10:00:00Z","kind":"%s","user":"bob","peer_uid":0,"prev":%s}`, seq, kind, prev)
		lines = append(lines, line)
		seq, kind = seq+1, "verdict"
	}
	return lines
}

// A restore sets the numbers back, which is told and is no fault; what is done to
// the records, or in a restore's name, is one.
func TestVerifyOverARestore(t *testing.T) {
	const told = "line 11: restored from a backup: numbers begin again at 14, and nothing vouches for record 19 before it"
	flip := func(n int) func(l []string) []string {
		return func(l []string) []string { l[n] = strings.Replace(l[n], `"peer_uid":0`, `"peer_uid":1`, 1); return l }
	}
	for name, test := range map[string]struct {
		spoil    func(lines []string) []string
		restores []string
		bad      []string
	}{
		"whole":                 {func(l []string) []string { return l }, []string{told}, nil},
		"without its backup":    {func(l []string) []string { return l[6:] }, []string{strings.Replace(told, "11", "5", 1) + "; record 13 is not in this file"}, nil},
		"changed before":        {flip(2), []string{told}, []string{"line 3 was changed (record 12)"}},
		"changed last before":   {flip(9), []string{told}, nil},
		"changed one before":    {flip(8), []string{told}, []string{"line 9 or line 10 was changed (records 18 and 19)"}},
		"the restore":           {flip(10), []string{told}, []string{"line 11 was changed (record 14)"}},
		"after it":              {flip(11), []string{told}, []string{"line 12 was changed (record 15)"}},
		"no restore":            {func(l []string) []string { l[10] = strings.Replace(l[10], "restore", "verdict", 1); return l }, nil, []string{"line 11: record 14 comes after record 19 of line 10; one of them was changed, or is in the wrong place", "line 11 was changed (record 14)"}},
		"of something else":     {func(l []string) []string { return slices.Concat(l[:10], next(l[5], 14, 3, "restore")) }, nil, []string{"line 11: restored from a backup, but what it follows is not record 13 of this file; one of them was changed"}},
		"dropped after it":      {func(l []string) []string { return slices.Delete(l, 11, 12) }, []string{told}, []string{"line 12: before it record 15 is missing"}},
		"to the very beginning": {func(l []string) []string { return slices.Concat(l[:10], next("", 1, 3, "restore")) }, []string{strings.Replace(told, "at 14", "at 1", 1)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			lines := chainLines(10, 10)
			lines = test.spoil(slices.Concat(lines, next(lines[3], 14, 4, "restore")))
			chain, err := Verify(strings.NewReader(strings.Join(lines, "\n") + "\n"))
			if err != nil || !slices.Equal(chain.Bad, test.bad) || !slices.Equal(chain.Restores, test.restores) {
				t.Errorf("%q, %q, %v\nwant %q, %q", chain.Bad, chain.Restores, err, test.bad, test.restores)
			}
		})
	}
}

// FuzzVerify: whatever is in a file, a record that is not what it was does not
// go unnoticed, and nothing panics.
func FuzzVerify(f *testing.F) {
	whole := []byte(strings.Join(chainLines(1, 6), "\n") + "\n")
	f.Add(uint16(10), byte('x'), []byte("{}\n"))
	f.Add(uint16(200), byte('\n'), []byte(`{"seq":18446744073709551615,"prev":null}`+"\n"))
	f.Fuzz(func(t *testing.T, at uint16, flip byte, other []byte) {
		Verify(bytes.NewReader(other))
		Verify(bytes.NewReader(append(slices.Clone(whole), other...)))
		changed := slices.Clone(whole)
		last := bytes.LastIndexByte(whole[:len(whole)-1], '\n')
		i := int(at) % last // the last line has nobody who knows its hash
		if changed[i] == flip || flip == '\n' || changed[i] == '\n' {
			return
		}
		changed[i] = flip
		chain, err := Verify(bytes.NewReader(changed))
		if err == nil && len(chain.Bad) == 0 && chain.Records == 6 {
			t.Errorf("byte %d as %q goes unnoticed", i, flip)
		}
	})
}
