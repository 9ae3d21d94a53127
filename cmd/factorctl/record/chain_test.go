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
		"swapped":  {func(l []string) []string { l[4], l[5] = l[5], l[4]; return l }, []string{"line 5: before it record 14 is missing", "line 6: record 14 comes after record 15", "line 7: before it record 15 is missing"}},
		"twice":    {func(l []string) []string { return slices.Insert(l, 5, l[4]) }, []string{"line 6: record 14 comes after record 14"}},
		"cut off":  {func(l []string) []string { l[4] = l[4][:40]; return l }, []string{"line 5 is no record: it was changed or cut off"}},
		"not JSON": {func(l []string) []string { l[9] = "x"; return l }, []string{"line 10 is no record: it was changed or cut off"}},
	} {
		t.Run(name, func(t *testing.T) {
			lines := test.spoil(chainLines(10, 10))
			chain, err := Verify(strings.NewReader(strings.Join(lines, "\n") + "\n"))
			if err != nil || !slices.Equal(chain.Bad, test.want) {
				t.Errorf("%q, %v\nwant %q", chain.Bad, err, test.want)
			}
			if name == "refusals" && (chain.Records != 10 || chain.First != 10 || chain.Last != 19) {
				t.Errorf("%+v", chain)
			}
		})
	}
	if _, err := Verify(strings.NewReader(strings.Repeat("x", maxLine+1))); err == nil {
		t.Error("a line without an end was read")
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
