package pam_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

const manyDescriptors = "ulimit -Hn 20000; ulimit -Sn 20000"

// The module closes what it has opened, however many descriptors there may be.
// pam_exec closes each number up to the limit.
func TestModuleCloses(t *testing.T) {
	t.Parallel()
	factordtest.NeedProgram(t, "strace")
	l := newLab(t, factordtest.ProcessOptions{})
	service := pamtest.Service(t, l.moduleLine("auth", "required", ""))
	calls := map[string]int{}
	for _, limit := range []string{"ulimit -n 256", manyDescriptors} {
		trace := filepath.Join(t.TempDir(), "trace")
		cmd := exec.Command("bash", "-c", limit+`; exec "$@"`, "bash", "strace", "-f", "-e", "trace=close,close_range", "-o", trace,
			"pamtester", service, l.who.Name, "authenticate")
		if _, out := run(t, l.code()+"\n", cmd); !strings.Contains(out, saysSuccess) {
			t.Fatalf("%s: %q", limit, out)
		}
		text, err := os.ReadFile(trace)
		if err != nil {
			t.Fatal(err)
		}
		calls[limit] = strings.Count(string(text), "close")
	}
	if few, many := calls["ulimit -n 256"], calls[manyDescriptors]; few == 0 || few != many {
		t.Errorf("%v", calls)
	}
}

// What sudo was given under the highest number there is, its command gets.
func TestModuleHighDescriptor(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	s := sit(t, "sudo", l.Socket, l.who, launch{before: manyDescriptors + "; exec 19999</dev/null", sudo: "closefrom_override"})
	s.argv = s.instead("sudo echo let in", "sudo -C 20000 /bin/sh -c '"+listing+"'")
	session := func(code string) []string {
		x := s.begin()
		if code != "" {
			x.Expect(prompt)
			x.Type(code + "\r")
		}
		if status := x.Wait(); status != 0 {
			t.Fatalf("exit %d\n%s", status, x.Screen())
		}
		return opened(x.Screen())
	}
	with := session(l.code())
	s.stack("required pam_permit.so")
	if without := session(""); fmt.Sprint(with) != fmt.Sprint(without) || !slices.Contains(with, "19999") {
		t.Errorf("with the module %v, without it %v", with, without)
	}
}
