package pam_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
)

// build is one build of the module. The zero value is the one that is shipped.
type build struct {
	file string
	wrap []string // the command that runs a program which loads it
}

func (b build) module(t testing.TB) string {
	t.Helper()
	if b.file == "" {
		return factordtest.Module(t)
	}
	return b.file
}

// command runs a program that loads the module.
func (b build) command(argv ...string) *exec.Cmd {
	argv = append(b.wrap[:len(b.wrap):len(b.wrap)], argv...)
	return exec.Command(argv[0], argv[1:]...)
}

// app runs testdata/app.c.
func (b build) app(t testing.TB, service, user string, words ...string) string {
	t.Helper()
	_, out := run(t, "", b.command(append([]string{application(t), service, user}, words...)...))
	if complaint(out) {
		t.Errorf("%q: %s", words, out)
	}
	return out
}

// complaint reports whether a checker of memory has spoken.
func complaint(out string) bool {
	return slices.ContainsFunc([]string{"Sanitizer", "runtime error:", "Invalid read", "Invalid write", "Invalid free", "uninitialised", "definitely lost"},
		func(mark string) bool { return strings.Contains(out, mark) })
}

// application builds testdata/app.c.
func application(t testing.TB) string {
	t.Helper()
	return made(t, "app", func(path string) []string {
		return []string{"gcc", "-Wall", "-Wextra", "-Werror", "-g", "-rdynamic", "-o", path, "testdata/app.c", "-lpam"}
	})
}

var making struct {
	sync.Mutex
	done map[string]error
}

// made returns a file beside the shipped programs, made once for a test process.
func made(t testing.TB, name string, command func(path string) []string) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(factordtest.Module(t)), name)
	making.Lock()
	defer making.Unlock()
	err, done := making.done[name]
	if !done {
		argv := command(path)
		if out, failed := exec.Command(argv[0], argv[1:]...).CombinedOutput(); failed != nil {
			err = fmt.Errorf("%q: %w\n%s", argv, failed, out)
		}
		if making.done == nil {
			making.done = map[string]error{}
		}
		making.done[name] = err
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
