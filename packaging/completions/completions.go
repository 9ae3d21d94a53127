// Package completions has what shells complete the command lines of factord's programs
// with. "make install" puts the files where the shells look; factorctl prints its own.
package completions

import (
	"embed"
	"slices"
)

//go:embed factorctl.bash _factorctl factorctl.fish
var files embed.FS

// Shells are the shells that there are completions for.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Factorctl returns the completions of factorctl for one of Shells.
func Factorctl(shell string) (script []byte, ok bool) {
	if !slices.Contains(Shells(), shell) {
		return nil, false
	}
	name := "factorctl." + shell
	if shell == "zsh" {
		name = "_factorctl" // it loads a function of the file's name
	}
	script, err := files.ReadFile(name)
	return script, err == nil
}
