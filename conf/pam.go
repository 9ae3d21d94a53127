package conf

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/factord/factord/daemon/policy"
)

// pamDoubts compares the services of the rules with those of PAM: a name that PAM
// has not is never asked about, a service that asks factord and has no rule refuses
// everybody, and one that asks twice wants two codes.
func (c *Config) pamDoubts(file string, dirs ...string) (all []string) {
	known := services(dirs)
	if len(known) == 0 || len(c.Rules) == 0 {
		return nil
	}
	for i := range c.Rules {
		r := &c.Rules[i]
		for _, name := range r.Services {
			if known[name] == nil {
				all = append(all, fmt.Sprintf("%s: rule %s: no PAM service is called %q here: a mistake, unless factor-helper names it%s",
					place(file, r.Line), title(r), name, likely(didYouMean(name, slices.Sorted(maps.Keys(known))))))
			}
		}
	}
	var lost []string
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if known[name].included && !runAsRoot(name) {
			continue // it is there for others alone
		}
		auth, _ := calls(known, name, "auth")
		account, _ := calls(known, name, "account")
		if len(auth)+len(account) > 0 && !slices.ContainsFunc(c.Rules, func(r policy.Rule) bool { return isFor(&r, name) }) {
			lost = append(lost, name)
		}
		if len(auth) > 1 && !auth[0].ends() {
			all = append(all, fmt.Sprintf("%s: the PAM service %s asks factord twice: by %s and by %s\nhint: %s",
				file, printable(name), auth[0].file, auth[1].file, onceHint(auth[0].file, auth[1].file)))
		}
	}
	text := "%s: the PAM services %s ask factord, and no rule is for them: it refuses whoever comes there"
	switch len(lost) {
	case 0:
		return all
	case 1:
		text = "%s: the PAM service %s asks factord, and no rule is for it: it refuses whoever comes there"
	}
	return append(all, fmt.Sprintf(text, file, printable(strings.Join(lost, ", "))))
}

// runAsRoot names services whose program runs PAM as root, and that are more than an
// included file where another includes them, as su-l does su.
func runAsRoot(name string) bool {
	return slices.Contains([]string{"sshd", "sudo", "sudo-i", "su", "su-l", "runuser", "runuser-l", "login"}, name)
}

// isFor reports whether a rule is for the PAM service. Who runs PAM there, root or as
// in a locker the user, is not known of each.
func isFor(r *policy.Rule, name string) bool {
	root := len(r.Callers) == 0 || slices.Contains(r.Callers, policy.CallerRoot)
	return (len(r.Services) == 0 || slices.Contains(r.Services, name)) && (root || !runAsRoot(name))
}

// likely puts a hint on a line of its own.
func likely(hint string) string {
	if hint == "" {
		return ""
	}
	return "\nhint: " + hint
}

// onceHint says how to be rid of one of two lines, by the files in which they stand.
func onceHint(first, second string) string {
	if filepath.Base(first) == "common-auth" && first != second {
		return "take the line out of " + second + ", or pam-auth-update --disable factord-sudo factord"
	}
	return "take one of the lines out"
}
