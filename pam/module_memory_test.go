package pam_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
)

// What ends a run with a finding, unlike any status of a program under test.
const findingStatus = 99

// sanitized is the module with checks of memory and of undefined behaviour.
func sanitized(t *testing.T) build {
	t.Helper()
	factordtest.NeedRoot(t)
	file := made(t, "pam_factord_asan.so", func(path string) []string {
		return []string{"make", "-s", "-C", "..", "module", "MODULE=" + path, "CC=gcc",
			"CFLAGS=-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"}
	})
	library, err := exec.Command("gcc", "-print-file-name=libasan.so").Output()
	if err != nil {
		t.Fatal(err)
	}
	return build{file: file, wrap: []string{"env", "LD_PRELOAD=" + strings.TrimSpace(string(library)) + ":libcrypt.so.1", // which it calls for pam_unix
		"UBSAN_OPTIONS=print_stacktrace=1",
		fmt.Sprintf("ASAN_OPTIONS=exitcode=%d:detect_stack_use_after_return=1", findingStatus)}}
}

// valgrind runs the module as it is shipped.
func valgrind(t *testing.T) build {
	t.Helper()
	factordtest.NeedRoot(t)
	factordtest.NeedProgram(t, "valgrind")
	return build{wrap: []string{"valgrind", "-q", fmt.Sprint("--error-exitcode=", findingStatus), "--leak-check=full", "--errors-for-leak-kinds=definite"}}
}

func TestModuleSanitized(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, build){
		"grammar": refuses, "verdicts": verdicts, "applications": applications, "logins": logins, "single field": singleFields, "texts": texts, "items": items,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, sanitized(t))
		})
	}
}

func TestModuleValgrind(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, build){"verdicts": verdicts, "applications": applications, "single field": singleFields, "items": items} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, valgrind(t))
		})
	}
}

// A checker that finds nothing has to be one that would.
func TestModuleCheckers(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]build{"sanitizer": sanitized(t), "valgrind": valgrind(t)} {
		if status, out := run(t, "", b.command(application(t), "other", "root", "broken")); status != findingStatus || !complaint(out) {
			t.Errorf("%s: exit %d: %q", name, status, out)
		}
	}
	symbols, err := exec.Command("nm", "-D", sanitized(t).file).Output()
	if err != nil || !strings.Contains(string(symbols), "__asan_report_load1") || !strings.Contains(string(symbols), "__ubsan_handle") {
		t.Errorf("the module has no checks: %v", err)
	}
}
