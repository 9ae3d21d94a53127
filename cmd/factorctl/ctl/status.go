package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/factord/factord/daemon/wire"
)

func (a *app) statusCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use: "status [--check]", Args: noArguments,
		Long: `Says whether factord runs; to root also with which configuration, how many users
it knows, and whether the clock stands before the latest time it has seen. Copies of audit records
that were lost are counted since factord started; "no copy, no login" is strict in
[audit]. Of Duo it says what the logins so far have shown; with --check factord asks Duo
at once whether it accepts keys and clock, also while logins do not because Duo was down a moment ago. The exit
status is then 1 if it does not, or if factord has refused the configuration as it is now and serves the one before
(with --json it is 0: look at "usable" and "config_refused").`,
		Example: "  factorctl status && echo up\n  sudo factorctl status --check\n  sudo factorctl status --json",
	}
	cmd.Flags().BoolVar(&check, "check", false, "ask Duo whether keys and clock are right (only root)")
	return a.does(cmd, func(ctx context.Context, _ []string) error {
		flag := ""
		if check {
			flag = "1"
		}
		var wrong []string
		err := ask(ctx, a, wire.Command(wire.VerbStatus, "check", flag), func(reply map[string]json.RawMessage) {
			a.showStatus(reply)
			wrong = amiss(reply)
		})
		if err == nil && check && len(wrong) > 0 {
			return errors.New(strings.Join(wrong, "; and "))
		}
		return err
	})
}

// amiss is what a check fails for.
func amiss(reply map[string]json.RawMessage) (wrong []string) {
	if why := duoUnusable(reply["duo"]); why != "" {
		wrong = append(wrong, "Duo can't be used: "+text(why))
	}
	if _, refused := reply["config_refused"]; refused {
		wrong = append(wrong, "the configuration as it is now is refused, the one before it serves on"+
			"\nhint: factorctl check-config says what is wrong, and systemctl reload factord takes it when it is mended")
	}
	return wrong
}

// duoUnusable says what is wrong with Duo; "": nothing, or not known.
func duoUnusable(raw json.RawMessage) string {
	var duo struct{ Usable string }
	if raw == nil || json.Unmarshal(raw, &duo) != nil {
		return ""
	}
	why, _ := strings.CutPrefix(duo.Usable, "no: ")
	if why == duo.Usable {
		return ""
	}
	return why
}

// statusOrder are the keys that come first, what is amiss before all others.
func statusOrder() []string {
	return []string{"config_refused", "ready", "factord", "pid", "uid", "config", "state", "rules", "factors", "keys", "users", "connections"}
}

// statusNames are the keys that are not understood by themselves.
func statusNames() map[string]string {
	return map[string]string{"factord": "wire version", "rules": "rules in force", "connections": "open connections", "keys": "plugged-in keys",
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
		if key == "duo" {
			a.showDuo(reply[key])
			continue
		}
		value := plainValue(reply[key])
		if key == "database_bytes" {
			value += " bytes"
		}
		a.printf("%-18s %s\n", name+":", value)
	}
}

// showDuo shows how Duo is, line by line: the verdict first.
func (a *app) showDuo(raw json.RawMessage) {
	duo := map[string]json.RawMessage{}
	if json.Unmarshal(raw, &duo) != nil {
		a.printf("%-18s ?\n", "duo:")
		return
	}
	beside := map[string]string{}
	for key, of := range map[string]string{"last_success_age": "last_success", "certificate_days_left": "certificate_end"} {
		if value, ok := duo[key]; ok {
			beside[of] = " (" + plainValue(value) + ")"
			delete(duo, key)
		}
	}
	if days, ok := beside["certificate_end"]; ok {
		beside["certificate_end"] = strings.TrimSuffix(days, ")") + " days left)"
	}
	a.printf("duo:\n")
	first := []string{"usable", "reachable", "breaker", "last_success", "clock", "certificate_end"}
	rest := slices.DeleteFunc(slices.Sorted(maps.Keys(duo)), func(key string) bool { return slices.Contains(first, key) })
	for _, key := range append(first, rest...) {
		if value, ok := duo[key]; ok {
			a.printf("  %-16s %s%s\n", strings.ReplaceAll(text(key), "_", " ")+":", plainMoments(plainValue(value)), beside[key])
		}
	}
}

// plainMoments writes a time at the end of a text as it is read on this machine.
func plainMoments(s string) string {
	i := strings.LastIndexByte(s, ' ') + 1
	if t, err := time.Parse(time.RFC3339, s[i:]); err == nil && i > 0 {
		return s[:i] + local(t)
	}
	return s
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
