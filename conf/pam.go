package conf

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/factord/factord/daemon/policy"
)

// pamDirs are where libpam looks for the file of a service, the first that has it
// (pam.d(5)).
func pamDirs() []string { return []string{"/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d"} }

// maxService is the longest service file that is read, in bytes.
const maxService = 64 << 10

// service is what a file of pam.d has to do with factord.
type service struct {
	asks     bool
	includes []string
	included bool
}

// pamDoubts compares the services of the rules with those of PAM: a name that PAM
// has not is never asked about, and a service that asks factord and has no rule
// refuses everybody.
func (c *Config) pamDoubts(file string, dirs ...string) (all []string) {
	known := services(dirs)
	if len(known) == 0 || len(c.Rules) == 0 {
		return nil
	}
	ruled, every := map[string]bool{}, false
	for i := range c.Rules {
		r := &c.Rules[i]
		if !asksAsRoot(r) {
			continue
		}
		every = every || len(r.Services) == 0
		for _, name := range r.Services {
			ruled[name] = true
			if known[name] == nil {
				all = append(all, fmt.Sprintf("%s: rule %s: no PAM service is called %q here: a mistake, unless factor-helper names it", place(file, r.Line), title(r), name))
			}
		}
	}
	var lost []string
	for name, s := range known {
		if !every && !ruled[name] && !s.included && asks(known, name, maxIncludes) {
			lost = append(lost, name)
		}
	}
	slices.Sort(lost)
	text := "%s: the PAM services %s ask factord, and no rule is for them: it refuses whoever comes there"
	switch len(lost) {
	case 0:
		return all
	case 1:
		text = "%s: the PAM service %s asks factord, and no rule is for it: it refuses whoever comes there"
	}
	return append(all, fmt.Sprintf(text, file, printable(strings.Join(lost, ", "))))
}

// asksAsRoot reports whether a rule is for PAM as root runs it.
func asksAsRoot(r *policy.Rule) bool {
	return len(r.Callers) == 0 || slices.Contains(r.Callers, policy.CallerRoot)
}

// maxIncludes is how deep files may include each other (libpam's own limit is 32).
const maxIncludes = 32

func asks(known map[string]*service, name string, depth int) bool {
	s := known[name]
	if s == nil || depth == 0 {
		return false
	}
	return s.asks || slices.ContainsFunc(s.includes, func(n string) bool { return asks(known, n, depth-1) })
}

// services reads the service files that can be read. What package managers have put
// beside them is none.
func services(dirs []string) map[string]*service {
	known := map[string]*service{}
	for _, dir := range dirs {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			name := e.Name()
			if known[name] == nil && !strings.ContainsAny(name, "~") && !strings.Contains(name, ".dpkg-") && !strings.Contains(name, ".rpm") && !strings.Contains(name, ".pam-") {
				known[name] = serviceFile(filepath.Join(dir, name))
			}
		}
	}
	for _, s := range known {
		for _, name := range s.includes {
			if other := known[name]; other != nil {
				other.included = true
			}
		}
	}
	return known
}

func serviceFile(path string) *service {
	s := &service{}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return s
	}
	f, err := os.Open(path)
	if err != nil {
		return s
	}
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, maxService))
	for line := range strings.SplitSeq(string(data), "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && words[0] == "@include":
			s.includes = append(s.includes, words[1])
		case len(words) == 3 && (words[1] == "include" || words[1] == "substack"):
			s.includes = append(s.includes, words[2])
		case strings.Contains(line, "pam_factord.so"), strings.Contains(line, "factor-helper"):
			s.asks = true
		}
	}
	return s
}
