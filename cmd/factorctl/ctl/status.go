package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/factord/factord/daemon/wire"
)

func (a *app) statusCommand() *cobra.Command {
	return a.does(&cobra.Command{
		Use: "status", Args: noArguments,
		Long: `Says whether factord runs; to root also with which configuration, how many users
it knows, and whether the clock stands before the latest time it has seen. Copies of audit records
that were lost are counted since factord started; "no copy, no login" is strict in
[audit].`,
		Example: "  factorctl status && echo up\n  sudo factorctl status --json",
	}, func(ctx context.Context, _ []string) error {
		return ask(ctx, a, wire.VerbStatus, a.showStatus)
	})
}

// statusOrder are the keys that come first, what is amiss before all others.
func statusOrder() []string {
	return []string{"config_refused", "ready", "factord", "pid", "uid", "config", "state", "rules", "factors", "users", "connections"}
}

// statusNames are the keys that are not understood by themselves.
func statusNames() map[string]string {
	return map[string]string{"factord": "wire version", "rules": "rules in force", "connections": "open connections",
		"audit_last":   "audit records",
		"audit_copies": "audit copied to", "audit_lost": "copies lost", "audit_strict": "no copy, no login",
		"database_bytes": "database", "highest_time": "latest time seen"}
}

func (a *app) showStatus(reply map[string]json.RawMessage) {
	rest := maps.Clone(reply)
	var keys []string
	for _, key := range statusOrder() {
		if _, ok := rest[key]; ok {
			keys = append(keys, key)
			delete(rest, key)
		}
	}
	keys = append(keys, slices.Sorted(maps.Keys(rest))...)
	for _, key := range keys {
		name := statusNames()[key]
		if name == "" {
			name = strings.ReplaceAll(text(key), "_", " ")
		}
		value := plainValue(reply[key])
		if key == "database_bytes" {
			value += " bytes"
		}
		a.printf("%-18s %s\n", name+":", value)
	}
}

// plainValue is a JSON value as a person reads it.
func plainValue(raw json.RawMessage) string {
	var value any
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber() // a uid is not to become 1e+06
	if decoder.Decode(&value) != nil {
		return "?"
	}
	return plain(value)
}

func plain(value any) string {
	switch v := value.(type) {
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return local(t)
		}
		return text(strings.ReplaceAll(v, "\n", "; "))
	case []any:
		words := make([]string, len(v))
		for i, element := range v {
			words[i] = plain(element)
		}
		return orDash(strings.Join(words, ", "))
	case map[string]any:
		var words []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			words = append(words, text(key)+" "+plain(v[key]))
		}
		return orDash(strings.Join(words, ", "))
	case nil:
		return "-"
	}
	return fmt.Sprint(value)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
