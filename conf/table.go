package conf

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// table is one TOML table that is being read. Each key that is asked for is a key that it may have; done reports the
// others. The methods that return a value report one that is not right, and then return what stands for "not written".
type table struct {
	report *report
	path   path
	values map[string]any
	asked  []string
	// foreignHints says what stands here for the keys that people bring along from
	// another program, which foreign names.
	foreign      string
	foreignHints map[string]string
}

func (t *table) line(keys ...string) int {
	var paths []path
	for _, k := range keys {
		paths = append(paths, t.path.key(k))
	}
	return t.report.lines.at(append(paths, t.path)...)
}

func (t *table) fail(key, hint, format string, args ...any) {
	t.report.fail(t.line(key), key, hint, fmt.Sprintf(format, args...))
}

func (t *table) has(key string) bool {
	_, ok := t.values[key]
	return ok
}

// take returns a value of type T. What is expected is named as in "a string".
func take[T any](t *table, key, expected, hint string) (value T, ok bool) {
	t.asked = append(t.asked, key)
	v, written := t.values[key]
	if !written {
		return value, false
	}
	if value, ok = v.(T); !ok {
		t.fail(key, hint, "is %s, not %s", kind(v), expected)
	}
	return value, ok
}

func kind(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case int64:
		return "an integer"
	case float64:
		return "a number with a fraction"
	case time.Time:
		return "a date"
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	default:
		return "an array of tables"
	}
}

// section returns the table [name], which is empty when it is not written.
func (t *table) section(name string) *table {
	values, _ := take[map[string]any](t, name, "a table", fmt.Sprintf("write [%s] once", name))
	return &table{report: t.report, path: t.path.key(name), values: values}
}

// sections returns the tables [[name]].
func (t *table) sections(name string) []*table {
	hint := arrayHint(name)
	list, ok := t.values[name].([]map[string]any)
	if ok {
		t.asked = append(t.asked, name)
	} else {
		list, ok = t.inline(name, hint)
	}
	if ok && len(list) == 0 {
		t.fail(name, "leave it out", "is empty")
	}
	var tables []*table
	for i, values := range list {
		tables = append(tables, &table{report: t.report, path: t.path.key(name).index(i), values: values})
	}
	return tables
}

func arrayHint(name string) string {
	return fmt.Sprintf("a %s begins with [[%[1]s]], in two brackets", name)
}

// inline returns the tables of name = [{…}, {…}].
func (t *table) inline(name, hint string) ([]map[string]any, bool) {
	entries, ok := take[[]any](t, name, "an array of tables", hint)
	var list []map[string]any
	for i, e := range entries {
		values, isTable := e.(map[string]any)
		if !isTable {
			t.fail(name, hint, "entry %d is %s, not a table", i+1, kind(e))
			return nil, false
		}
		list = append(list, values)
	}
	return list, ok
}

// done reports every key that was not asked for.
func (t *table) done() {
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		if slices.Contains(t.asked, key) {
			continue
		}
		_, section := t.values[key].(map[string]any)
		_, sections := t.values[key].([]map[string]any)
		known := strings.Join(slices.Sorted(slices.Values(t.asked)), ", ")
		if t.path == "" && (section || sections) {
			t.report.fail(t.line(key), "["+key+"]", "the sections are "+known, "this factord has no such section")
			continue
		}
		hint, foreign := t.foreignHints[key]
		if foreign {
			t.fail(key, hint, "is a key of %s, not of factord", t.foreign)
			continue
		}
		if t.path != "" {
			hint = cmp.Or(didYouMean(key, t.asked), "the keys here are "+known)
		}
		t.fail(key, hint, "unknown key")
	}
}
