package conf

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// localDate is how the decoder marks a TOML date without a time.
const localDate = "date-local"

// flaw is what is wrong with a text, and what to write instead. The zero value is none.
type flaw struct{ what, hint string }

func (t *table) text(key string) (string, bool) {
	return take[string](t, key, "a string", "put it in quotes")
}

// judge reports what is wrong with a key, if anything is.
func (t *table) judge(key string, f flaw) {
	if f.what != "" {
		t.fail(key, f.hint, "%s", f.what)
	}
}

// pairs returns a table of user names of this machine and what stands for them.
func (t *table) pairs(key string, read func(string) flaw) map[string]string {
	written, ok := take[map[string]any](t, key, "a table", `write it like { root = "alice" }`)
	if !ok {
		return nil
	}
	in := &table{report: t.report, path: t.path.key(key), values: written}
	pairs := make(map[string]string, len(written))
	for _, user := range slices.Sorted(maps.Keys(written)) {
		if _, wrong := readUser(user); wrong.what != "" {
			in.fail(user, wrong.hint, "%s", wrong.what)
			continue
		}
		if s, ok := in.text(user); ok {
			in.judge(user, read(s))
			pairs[user] = s
		}
	}
	return pairs
}

func (t *table) truth(key string, otherwise bool) bool {
	if b, ok := take[bool](t, key, "a boolean", "write true or false, without quotes"); ok {
		return b
	}
	return otherwise
}

func (t *table) number(key string, otherwise, lowest, highest int64) int {
	n, ok := take[int64](t, key, "an integer", "")
	if ok && (n < lowest || n > highest) {
		t.fail(key, "", "%d is not from %d to %d", n, lowest, highest)
		ok = false
	}
	if !ok {
		n = otherwise
	}
	return int(n)
}

// word returns one of words, or "".
func (t *table) word(key string, words ...string) string {
	s, ok := t.text(key)
	if !ok {
		return ""
	}
	if f := oneOf(s, words); f.what != "" {
		t.fail(key, f.hint, "%s", f.what)
		return ""
	}
	return s
}

func oneOf(s string, words []string) flaw {
	if slices.Contains(words, s) {
		return flaw{}
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	hint := "write one of "
	if len(words) == 1 {
		hint = "write "
	}
	return flaw{fmt.Sprintf("unknown value %q", s), hint + strings.Join(quoted, ", ")}
}

// duration returns a time in Go's notation. It is never negative, and 0 only if zero says that 0 has a meaning.
func (t *table) duration(key string, zero bool) (time.Duration, bool) {
	s, ok := take[string](t, key, "a string", `write it like "8h" or "90m"`)
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		t.fail(key, `write it like "8h", "90m" or "1h30m"; the hour is the largest unit`, "%q is not a duration", s)
	case d < 0:
		t.fail(key, "", "%q is negative", s)
	case d == 0 && !zero:
		t.fail(key, "leave it out", "%q is no time at all", s)
	default:
		return d, true
	}
	return 0, false
}

// date returns the end of a day in local time, so that the day named still counts.
func (t *table) date(key string) (end time.Time, ok bool) {
	const hint = `write it like "2027-01-31"; it ends at 24:00 local time of that day`
	day, ok := t.values[key].(time.Time)
	if ok {
		t.asked = append(t.asked, key)
		if day.Location().String() != localDate {
			t.fail(key, hint, "is a date with a time")
			return time.Time{}, false
		}
	} else {
		s, ok := take[string](t, key, "a date", hint)
		if !ok {
			return time.Time{}, false
		}
		var err error
		if day, err = time.Parse(time.DateOnly, s); err != nil {
			t.fail(key, hint, "%q is not a date", s)
			return time.Time{}, false
		}
	}
	return time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, time.Local), true
}

// list returns the entries of a list of strings, as read makes them. A list that matches nothing, or says something
// twice, is a mistake.
func list[T comparable](t *table, key string, read func(string) (T, flaw)) []T {
	written, ok := take[[]any](t, key, "a list", "put the entries in brackets and quotes")
	if ok && len(written) == 0 {
		t.fail(key, "leave it out", "is empty")
	}
	var entries []T
	seen := make(map[T]bool)
	for i, v := range written {
		fail := func(f flaw) {
			line := t.report.lines.at(t.path.key(key).index(i), t.path.key(key), t.path)
			t.report.fail(line, key, f.hint, f.what)
		}
		s, ok := v.(string)
		if !ok {
			fail(flaw{"has " + kind(v) + " in it, not a string", "put it in quotes"})
			continue
		}
		e, f := read(s)
		switch {
		case f.what != "":
			fail(f)
		case seen[e]:
			fail(flaw{fmt.Sprintf("%q is in it twice", s), ""})
		default:
			seen[e] = true
			entries = append(entries, e)
		}
	}
	return entries
}
