package helper

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const program = "github.com/factord/factord/cmd/factor-helper"

// build makes the program as it is shipped, where every user may run it.
func build(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	return compile(t, program)
}

func compile(t testing.TB, pkg string) string {
	t.Helper()
	path := filepath.Join(openDir(t), "program")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return path
}

// What is linked is paid for at every login.
func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range strings.Fields(string(out)) {
		switch {
		case pkg == "fmt", pkg == "flag", pkg == "reflect", pkg == "log", pkg == "net", strings.HasPrefix(pkg, "net/"),
			strings.HasPrefix(pkg, "os/") && pkg != "os/signal", strings.HasPrefix(pkg, "encoding"):
			t.Errorf("%s is linked in", pkg)
		case strings.Contains(pkg, ".") && !strings.HasPrefix(pkg, "github.com/factord/factord/"):
			t.Errorf("%s is no part of the standard library", pkg)
		}
	}
}

func TestSize(t *testing.T) {
	path := build(t)
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	const limit = 2_500_000
	if st.Size() > limit {
		t.Errorf("%d bytes, more than %d", st.Size(), limit)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("not static")
		}
	}
}

// An ordinary user may run a factord of their own, and no other user's.
func TestOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	path := build(t)
	for server, want := range map[int]int{65533: exitUnavailable, 65534: exitAllow, 0: exitAllow} {
		l, socket := listenAs(t, server)
		if err := os.Chmod(socket, 0o666); err != nil {
			t.Fatal(err)
		}
		serveOn(t, l, func(p *peer) {
			p.put(greeting)
			if !strings.HasPrefix(p.line(), "EOF") {
				p.put(sayAllow...)
			}
		})
		cmd := exec.Command(path, "check", "--socket", socket)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("server of uid %d: exit %d, want %d: %s", server, code, want, out)
		}
	}
}

// BenchmarkStart runs the helper up to its connection, an empty Go program and
// /bin/true in turn, and reports the helper's time over each of theirs.
func BenchmarkStart(b *testing.B) {
	source := filepath.Join(openDir(b), "empty.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	programs := [][]string{{build(b), "pam", "--socket", "/nowhere"}, {compile(b, source)}, {"/bin/true"}}
	var spent [3]time.Duration
	for b.Loop() {
		for i, argv := range programs {
			cmd := exec.Command(argv[0], argv[1:]...)
			cmd.Env = environ(login())
			start := time.Now()
			_ = cmd.Run()
			spent[i] += time.Since(start)
		}
	}
	b.ReportMetric(float64(spent[0])/float64(spent[1]), "x-empty-go")
	b.ReportMetric(float64(spent[0])/float64(spent[2]), "x-bin-true")
}
