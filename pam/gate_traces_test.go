package pam_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
)

// probe writes down what a program can see of how it was started.
const probe = `#!/bin/sh
echo "--- environment"; env -0 | tr '\n\0' '?\n' | sort
echo "--- signals, rights"; grep -E '^(Sig|Shd|Cap|Uid|Gid|Groups|NoNew|Seccomp|Speculation|THP|untag|Umask)' /proc/self/status
echo "--- limits"; cat /proc/self/limits
echo "--- files"; for fd in /proc/$$/fd/*; do echo "${fd##*/} $(readlink $fd)"; done
for fd in 0 1 2; do echo "$fd $(grep flags /proc/$$/fdinfo/$fd)"; done
echo "--- place"; pwd; umask; nice; cat /proc/self/oom_score_adj /proc/self/cgroup /proc/self/personality /proc/self/timerslack_ns 2>&1
echo "--- terminal"; stty -a 2>&1; tty
echo "--- session"; ps -o comm= -s $(ps -o sid= -p $$)
`

// same makes a probe's report one of any session: ports, pids and the numbers of
// pipes and terminals differ between two sessions of the same kind.
func (g *gate) same(report string) string {
	report = strings.ReplaceAll(report, "\r\n", "\n")
	report = regexp.MustCompile(`(?m)^(SSH_CLIENT|SSH_CONNECTION)=.*$`).ReplaceAllString(report, "$1")
	report = regexp.MustCompile(`(pipe|socket):\[\d+\]|/dev/pts/\d+|/proc/\d+`).ReplaceAllString(report, "$1")
	return regexp.MustCompile(`(?m)^(ShdPnd|SigQ).*$`).ReplaceAllString(report, "")
}

// A session does not notice that the helper was there: environment, signals,
// limits, files, terminal are those of the same sshd without ForceCommand.
func TestForceCommandLeavesNoTrace(t *testing.T) {
	t.Parallel()
	factordtest.NeedProgram(t, "ps")
	// Soft limits that Go's start and the helper change for themselves.
	wrap := []string{"bash", "-c", `ulimit -Sn 1000; ulimit -Sc 77; exec "$@"`, "bash"}
	for _, shell := range []string{"bash", "zsh", "dash", "fish"} {
		g := newGate(t, gateOptions{rules: exemptUser, shell: factordtest.NeedProgram(t, shell), wrap: wrap,
			pam: gateService + "session required pam_env.so user_readenv=0\n", sshd: "AcceptEnv FOO\n"})
		g.put(".zshrc", "", 0o644)
		g.put("probe", probe, 0o755)
		for _, options := range []string{"-T", "-tt"} {
			var reports [2]string
			for i, host := range []string{gated, plain} {
				r := g.doIn([]string{"LC_FOO=a b", "FOO=bar"}, "", g.client("ssh", "-o", "SendEnv=FOO LC_*", options, "-l", g.who.Name, host, "./probe")...)
				if r.status != 0 || r.errs != "" || !limited.MatchString(r.out) || !strings.Contains(r.out, "FOO=bar") {
					t.Fatalf("%s %s: %+v", shell, host, r)
				}
				reports[i] = g.same(r.out)
			}
			if diff := difference(reports[0], reports[1]); diff != stays[shell] {
				t.Errorf("%s %s: with ForceCommand (+) and without (-):\n%s", shell, options, diff)
			}
		}
	}
}

// limited matches a report if sshd handed down the limits.
var limited = regexp.MustCompile(`(?s)Max core file size +78848 .*Max open files +1000 `)

// stays is what two shells leave behind: they wait for the helper, and so for
// the session, as a process above it.
var stays = map[string]string{"dash": "+dash\n", "fish": "+fish\n"}

// difference is the lines that two texts do not share.
func difference(a, b string) string {
	var diff strings.Builder
	left := map[string]int{}
	for line := range strings.Lines(b) {
		left[line]++
	}
	for line := range strings.Lines(a) {
		if left[line]--; left[line] < 0 {
			fmt.Fprint(&diff, "+", line)
		}
	}
	for line := range strings.Lines(b) {
		if left[line]--; left[line] >= 0 {
			fmt.Fprint(&diff, "-", line)
		}
	}
	return diff.String()
}
