package conf

import (
	"runtime/debug"
	"strings"
)

// Version is which factord this program belongs to: the module's version, and the
// commit if it was built from a tree of git.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	return version(info)
}

// version is what the go command has noted: a version of its own making has the
// commit in it.
func version(info *debug.BuildInfo) string {
	text := info.Main.Version
	if text == "" {
		text = "(devel)"
	}
	var commit, changed string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+dirty"
		}
	}
	if commit == "" || strings.Contains(text, commit) {
		return text
	}
	return text + " " + commit + changed
}
