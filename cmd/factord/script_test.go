package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/factord/factord/daemon/factordtest"
)

// The scripts drive the built programs as a shell would. $DIR is a folder that
// every uid can reach; f.sock in it is the socket. Beside testscript's own
// commands there are
//
//	listening            waits until factord answers at $DIR/f.sock
//	answer TEXT          puts TEXT into the file "answer", without a line end
//	code VAR FILE [N]    sets VAR to a code of the token whose enrolment is in
//	                     FILE: TOTP N steps from now, or HOTP at counter N
//	field VAR FILE NAME  sets VAR to a field of the JSON in FILE, of a list its first
func TestScripts(t *testing.T) {
	factordtest.NeedRoot(t)
	factordtest.NeedProgram(t, "oathtool")
	factordtest.NeedProgram(t, "ykgenerate")
	bin := factordtest.Build(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			dir, err := os.MkdirTemp("", "factord-script")
			if err != nil {
				return err
			}
			e.Defer(func() { os.RemoveAll(dir) })
			e.Setenv("DIR", dir)
			e.Setenv("SOCKET", filepath.Join(dir, "f.sock"))
			e.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			return os.Chmod(dir, 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"listening": listening, "answer": answer, "code": code, "field": field,
		},
	})
}

func listening(ts *testscript.TestScript, _ bool, _ []string) {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("unix", ts.Getenv("SOCKET")); err == nil {
			c.Close()
			return
		}
	}
	ts.Fatalf("factord does not listen")
}

func answer(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs("answer"), []byte(strings.Join(args, " ")), 0o600))
}

func code(ts *testscript.TestScript, _ bool, args []string) {
	var tok factordtest.Token
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &tok))
	n := 0
	if len(args) > 2 {
		ts.Check(json.Unmarshal([]byte(args[2]), &n))
	}
	var c string
	var err error
	if tok.Factor == "hotp" {
		c, err = hotp.GenerateCode(tok.Secret(), uint64(n))
	} else {
		c, err = totp.GenerateCode(tok.Secret(), time.Now().Add(time.Duration(n)*30*time.Second))
	}
	ts.Check(err)
	ts.Setenv(args[0], c)
}

func field(ts *testscript.TestScript, _ bool, args []string) {
	var fields map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &fields))
	value := fields[args[2]]
	if list, ok := value.([]any); ok && len(list) > 0 {
		value = list[0]
	}
	text, ok := value.(string)
	if !ok || strings.TrimSpace(text) == "" {
		ts.Fatalf("no field %q in %s", args[2], args[1])
	}
	ts.Setenv(args[0], text)
}
