package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// alone sets up factor-helper without PAM: its usage text is what it does with
// the least work of its own, so what is measured is its start.
func (l *logins) alone(dir, helper string) error {
	empty, err := emptyProgram(dir)
	if err != nil {
		return err
	}
	l.usage = &process{name: "factor-helper --help", argv: []string{helper, "--help"}}
	l.empty = &process{name: "an empty Go program", argv: []string{empty}}
	return nil
}

// emptyProgram builds a program that does nothing, with the flags that
// factor-helper is shipped with.
func emptyProgram(dir string) (path string, err error) {
	source, path := filepath.Join(dir, "empty.go"), filepath.Join(dir, "empty")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, source)
	cmd.Dir = dir // outside of the module, whose GOFLAGS do not fit here
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building an empty program: %w: %s", err, out)
	}
	return path, nil
}

func (r *report) alone(l *logins, helper string) error {
	info, err := os.Stat(helper)
	if err != nil {
		return err
	}
	r.section("factor-helper alone")
	r.time(l.usage.name+", p50", l.usage.p50())
	r.time(l.empty.name+", p50", l.empty.p50())
	r.atMost("start-up / an empty Go program's", ratio(l.usage, l.empty), 1.6)
	r.atMost("size in MB", float64(info.Size())/1e6, 2.5)
	return nil
}

func ratio(p, q *process) float64 { return float64(p.p50()) / float64(q.p50()) }
