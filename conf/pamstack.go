package conf

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// pamDirs are where libpam looks for the file of a service, the first that has it
// (pam.d(5)).
func pamDirs() []string { return []string{"/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d"} }

// maxService is the longest service file that is read, in bytes.
const maxService = 64 << 10

// maxIncludes is how deep files may include each other (libpam's own limit is 32).
const maxIncludes = 32

// maxStack is how many lines a stack may have. Those of distributions have some tens.
const maxStack = 256

// service is a file of pam.d.
type service struct {
	path     string // where it lies
	lines    []pamLine
	included bool // by another one
	unread   bool // what is in it can't be told
}

// pamLine is a line of a service file (pam.d(5)).
type pamLine struct {
	kind    string // auth, account, …; "" is an @include, of all kinds
	control string
	include string // the service whose lines stand here
	module  string // with its arguments
	file    string // in which it stands
	level   int    // of substacks, over which a jump goes as over one line
}

// services reads the service files. What package managers have put beside them is none.
func services(dirs []string) map[string]*service {
	known := map[string]*service{}
	for _, dir := range dirs {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			name := e.Name()
			if known[name] == nil && !strings.ContainsAny(name, "~") && !strings.Contains(name, ".dpkg-") && !strings.Contains(name, ".rpm") && !strings.Contains(name, ".pam-") {
				known[name] = readServiceFile(filepath.Join(dir, name))
			}
		}
	}
	for _, s := range known {
		for _, l := range s.lines {
			if other := known[l.include]; other != nil {
				other.included = true
			}
		}
	}
	return known
}

func readServiceFile(path string) *service {
	s := &service{path: path, unread: true}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxService {
		return s
	}
	f, err := os.Open(path)
	if err != nil {
		return s
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxService))
	if err != nil {
		return s
	}
	s.unread, s.lines = false, parsePAM(path, string(data))
	return s
}

// parsePAM reads the lines of a file that are no comments.
func parsePAM(file, text string) (lines []pamLine) {
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			l := parsePAMLine(line)
			l.file = file
			lines = append(lines, l)
		}
	}
	return lines
}

func parsePAMLine(line string) (l pamLine) {
	kind, rest := word(line)
	if kind == "@include" {
		l.include, _ = word(rest)
		return l
	}
	l.kind = strings.ToLower(strings.TrimPrefix(kind, "-"))
	l.control, rest = word(rest)
	if strings.HasPrefix(l.control, "[") {
		before, after, _ := strings.Cut(l.control+rest, "]")
		l.control, rest = before+"]", after
	}
	l.module = strings.Join(strings.Fields(rest), " ")
	if l.control == "include" || l.control == "substack" {
		l.include, _ = word(rest)
	}
	return l
}

// word cuts the first word off.
func word(s string) (first, rest string) {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// stack is what libpam makes of a file for one kind of question: the lines of included
// files stand in place of what includes them. inside are the files that include this
// one. false: not all of it can be told.
func stack(known map[string]*service, name, kind string, inside ...string) (lines []pamLine, sure bool) {
	s := known[name]
	if s == nil || s.unread || len(inside) >= maxIncludes || slices.Contains(inside, name) {
		return nil, false
	}
	inside = append(slices.Clone(inside), name)
	sure = true
	for _, l := range s.lines {
		switch {
		case l.kind != "" && l.kind != kind:
			continue
		case len(lines) >= maxStack:
			return nil, false
		case l.include == "":
			lines = append(lines, l)
			continue
		}
		inner, all := stack(known, l.include, kind, inside...)
		sure = sure && all
		if l.control == "substack" {
			lines = append(lines, l) // its head, which a jump counts
			for i := range inner {
				inner[i].level++
			}
		}
		lines = append(lines, inner...)
		if len(lines) > maxStack {
			return nil, false
		}
	}
	return lines, sure
}

// calls returns the lines by which a login of a service surely asks factord, if it
// comes that far; more: there may be others.
func calls(known map[string]*service, name, kind string) (surely []pamLine, more bool) {
	lines, sure := stack(known, name, kind)
	more = !sure
	for i, l := range lines {
		if !l.asks() {
			continue
		}
		switch reached(lines, i, name) {
		case yes:
			surely = append(surely, l)
		case unsure:
			more = true
		}
	}
	return surely, more
}

// answer is what can be told of a stack.
type answer int

const (
	unsure answer = iota
	no
	yes
)

// reached tells whether some login of a service comes to line i of a stack, as far as
// the jumps before it go.
func reached(lines []pamLine, i int, name string) answer {
	told := yes
	for j := range lines[:i] {
		if far := lines[j].jump(); far == 0 || far < distance(lines, j, i) {
			continue
		}
		switch lines[j].passes(name) {
		case no:
			return no
		case unsure:
			told = unsure
		}
	}
	return told
}

// distance is how far a jump in line j has to go to leave out line i.
func distance(lines []pamLine, j, i int) (n int) {
	for _, l := range lines[j+1 : i+1] {
		if l.level <= lines[j].level {
			n++
		}
	}
	return n
}

func (l *pamLine) asks() bool {
	return l.include == "" && (strings.Contains(l.module, "pam_factord.so") || strings.Contains(l.module, "factor-helper"))
}

// ends reports whether a yes of this line may end the stack.
func (l *pamLine) ends() bool {
	return l.control == "sufficient" || strings.Contains(l.control, "=done")
}

// jump is how many lines this one can leave out.
func (l *pamLine) jump() (most int) {
	for _, pair := range strings.Fields(strings.Trim(l.control, "[]")) {
		_, action, _ := strings.Cut(pair, "=")
		if n, err := strconv.Atoi(action); err == nil {
			most = max(most, n)
		}
	}
	return most
}

// passes tells whether logins of a service come by this line without a jump. It knows
// the two lines of the PAM profiles and of the snippets: the one that goes on for some
// services alone, and the one that leaves root out, and nobody else.
func (l *pamLine) passes(name string) answer {
	control := strings.Join(strings.Fields(strings.Trim(l.control, "[]")), " ")
	args, isSucceedIf := strings.CutPrefix(l.module, "pam_succeed_if.so quiet ")
	list, isService := strings.CutPrefix(args, "service in ")
	switch {
	case !isSucceedIf:
	case control == "success=ignore ignore=ignore auth_err=1 default=die" && isService && !strings.Contains(list, " "):
		if slices.Contains(strings.Split(list, ":"), name) {
			return yes
		}
		return no
	case control == "success=1 default=ignore" && (args == "uid eq 0" || strings.HasPrefix(args, "uid eq 0 service in ")):
		return yes
	}
	return unsure
}
