package helper

import (
	"strings"
	"testing"
)

func TestPasswdUID(t *testing.T) {
	for passwd, want := range map[string]int{
		"factord:x:997:997::/:/bin/false\n": 997,
		"x:x:1:1::/:/\nfactord:x:5:5::/:/":  5,
		"xfactord:x:7:7::/:/\n":             -1,
		"factord:x:-1:7::/:/\n":             -1,
		"factord:x::7::/:/\n":               -1,
		"factord:x:99999999999:7::/:/\n":    -1,
		"factord:x:7":                       -1,
		"#factord:x:7:7\n":                  -1,
		"":                                  -1,
	} {
		uid, found := passwdUID([]byte(passwd), "factord")
		if found != (want >= 0) || found && int(uid) != want {
			t.Errorf("%q: %d, %v", passwd, uid, found)
		}
	}
}

func FuzzPasswdUID(f *testing.F) {
	f.Add([]byte("factord:x:997:997::/:/bin/false\n"))
	f.Fuzz(func(_ *testing.T, p []byte) { passwdUID(p, "factord") })
}

func TestPasswdShell(t *testing.T) {
	const passwd = "root:x:0:0:root:/root:/bin/bash\n" +
		"+::::::\n" +
		"toor:x:0:0::/root:/bin/zsh\n" +
		"alice:x:1000:1000:Alice,,,:/home/alice:\n" +
		"short:x:1001:1001::/home\n" +
		"long:x:1002:1002::/home:/bin/sh:\n" +
		"last:x:1003:1003::/:/bin/dash"
	tests := []struct {
		uid   uint32
		name  string
		shell string
		found bool
	}{
		{0, "root", "/bin/bash", true},
		{0, "toor", "/bin/zsh", true},
		{0, "alice", "/bin/bash", true}, // another's name chooses nothing
		{0, "", "/bin/bash", true},
		{1000, "alice", "/bin/sh", true},
		{1000, "root", "/bin/sh", true},
		{1001, "short", "", false},
		{1002, "long", "", false},
		{1003, "last", "/bin/dash", true},
		{1004, "root", "", false},
	}
	for _, tt := range tests {
		if shell, found := passwdShell([]byte(passwd), tt.uid, tt.name); shell != tt.shell || found != tt.found {
			t.Errorf("uid %d, %q: %q, %v", tt.uid, tt.name, shell, found)
		}
	}
}

func FuzzPasswdShell(f *testing.F) {
	f.Add([]byte("root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/root:\n"), uint32(0), "toor")
	f.Add([]byte("+::::::\n"), uint32(0), "")
	f.Fuzz(func(t *testing.T, passwd []byte, uid uint32, name string) {
		shell, found := passwdShell(passwd, uid, name)
		if found == (shell == "") || strings.ContainsAny(shell, ":\n") {
			t.Errorf("%q, %v", shell, found)
		}
	})
}
