package duosim_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
)

// peer is a client of Auth API v2 that Duo wrote.
type peer struct {
	t    *testing.T
	s    *duosim.Server
	argv []string
}

// said is the envelope as such a client saw it.
type said struct {
	Stat     string
	Code     any
	Response any
}

func (a said) field(name string) string {
	in, _ := a.Response.(map[string]any)
	for k, v := range in {
		if text, is := v.(string); is && strings.EqualFold(k, name) {
			return text
		}
	}
	return ""
}

// call makes one; version 0 is a method of the client's own.
func (p peer) call(version int, method, path string, params ...string) said {
	p.t.Helper()
	c := map[string]any{"IKey": p.s.IKey(), "SKey": p.s.SKey(), "Host": p.s.Host(), "CAFile": p.s.CAFile(), "Version": version, "Method": method, "Path": path}
	all := map[string]string{}
	for i := 0; i < len(params); i += 2 {
		if in := params[i]; in == "IKey" || in == "SKey" {
			c[in] = params[i+1]
			continue
		}
		all[params[i]] = params[i+1]
	}
	c["Params"] = all
	in, err := json.Marshal(c)
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	var complaints bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &complaints
	out, err := cmd.Output()
	var a said
	if err == nil {
		err = json.Unmarshal(out, &a)
	}
	if err != nil {
		p.t.Fatalf("%s %s: %v\n%s%s", method, path, err, out, complaints.Bytes())
	}
	return a
}

// unreachable is what the registries' clients say without a network.
var unreachable = regexp.MustCompile(`dial tcp|no such host|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH`)

// fetch runs what may have to download a peer. Like a program that is missing, a
// registry out of reach skips the test, but fails it for root.
func fetch(t *testing.T, dir string, env []string, argv ...string) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		if unreachable.Match(out) && os.Geteuid() != 0 {
			t.Skipf("its registry can't be reached from here: %s", out)
		}
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
}

// goPeer is duo_api_golang.
func goPeer(t *testing.T, s *duosim.Server) peer {
	t.Helper()
	program := filepath.Join(t.TempDir(), "peer")
	fetch(t, "peers", []string{"GOWORK=off", "CGO_ENABLED=0"}, "go", "build", "-o", program, ".")
	return peer{t, s, []string{program}}
}

// nodePeer is @duosecurity/duo_api, in a folder of its own.
func nodePeer(t *testing.T, s *duosim.Server) peer {
	t.Helper()
	node, npm := factordtest.NeedProgram(t, "node"), factordtest.NeedProgram(t, "npm")
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "peer.js"} {
		from, err := os.Open(filepath.Join("peers", name))
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		to, err := os.Create(filepath.Join(dir, name))
		if err == nil {
			_, err = io.Copy(to, from)
			to.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	fetch(t, dir, nil, npm, "ci", "--omit=optional", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
	return peer{t, s, []string{node, filepath.Join(dir, "peer.js")}}
}

// exchange is all that a client of Duo's does, in both of its ways to sign.
func (p peer) exchange() {
	for _, version := range []int{2, 5} {
		p.s.AddUser(phoneOwner("zoë"))
		get := func(path string, params ...string) said { return p.call(version, "GET", "/auth/v2/"+path, params...) }
		post := func(path string, params ...string) said { return p.call(version, "POST", "/auth/v2/"+path, params...) }
		if a := get("check"); a.Stat != "OK" {
			p.t.Errorf("v%d check: %+v", version, a)
		}
		if a := post("preauth", "username", "zoë", "ipaddr", "2001:db8::7", "hostname", "web 1"); a.field("result") != "auth" {
			p.t.Errorf("v%d preauth: %+v", version, a)
		}
		push := post("auth", "username", "zoë", "factor", "push", "device", "auto", "async", "1", "pushinfo", "a=%20b%26&c=~_-.", "display_username", "Zoë & \"Søn\" / =+~%20", "type", "it's (SSH)!*")
		seen, err := p.s.NextPush(within(p.t), "zoë")
		if err != nil || seen.DisplayUsername != "Zoë & \"Søn\" / =+~%20" || seen.Type != "it's (SSH)!*" || seen.Info.Get("a") != " b&" {
			p.t.Errorf("v%d push: %+v, %v", version, seen, err)
		}
		if a := get("auth_status", "txid", push.field("txid")); a.field("status") != "pushed" {
			p.t.Errorf("v%d auth_status: %+v", version, a)
		}
		if err := p.s.Approve("zoë"); err != nil {
			p.t.Error(err)
		}
		if a := get("auth_status", "txid", push.field("txid")); a.field("result") != "allow" {
			p.t.Errorf("v%d auth_status: %+v", version, a)
		}
		for _, want := range []string{"allow", "deny"} {
			if a := post("auth", "username", "zoë", "factor", "passcode", "passcode", "123456"); a.field("result") != want {
				p.t.Errorf("v%d passcode: %+v, want %s", version, a, want)
			}
		}
		enrolled := post("enroll", "valid_secs", "600")
		if a := post("enroll_status", "user_id", enrolled.field("user_id"), "activation_code", enrolled.field("activation_code")); a.Response != "waiting" {
			p.t.Errorf("v%d enroll_status: %+v after %+v", version, a, enrolled)
		}
		if a := p.call(version, "POST", "/auth/v2/preauth", "username", "zoë", "SKey", "another"); a.Code != 40103.0 {
			p.t.Errorf("v%d with another key: %+v", version, a)
		}
		if a := p.call(version, "GET", "/auth/v2/check", "IKey", "DIANOTHER"); a.Code != 40102.0 {
			p.t.Errorf("v%d of another integration: %+v", version, a)
		}
	}
	schemes := map[string]int{}
	for _, r := range p.s.Requests() {
		schemes[r.Scheme]++
	}
	if schemes["v2-sha512"] != 9 || schemes["v5"] != 9 || len(schemes) != 3 {
		p.t.Errorf("signed as %v", schemes)
	}
}

func TestDuoAPIGolang(t *testing.T) {
	t.Parallel()
	s := duosim.Start(t, duosim.Config{})
	p := goPeer(t, s)
	p.exchange()
	// Its own types take our answers apart too.
	s.AddUser(phoneOwner("alice"))
	for _, path := range []string{"ping", "check", "logo"} {
		if a := p.call(0, "", path); a.Stat != "OK" {
			t.Errorf("%s: %+v", path, a)
		}
	}
	a := p.call(0, "", "preauth", "username", "alice")
	if a.field("result") != "auth" || len(a.Response.(map[string]any)["Devices"].([]any)) != 1 {
		t.Errorf("preauth: %+v", a)
	}
	push := p.call(0, "", "push", "username", "alice")
	if seen, err := s.NextPush(within(t), "alice"); err != nil || seen.DisplayUsername != "Al & Co" || seen.Info.Get("command") != "ls -l" {
		t.Errorf("push: %+v, %v", seen, err)
	}
	if err := s.Fraud("alice"); err != nil {
		t.Error(err)
	}
	if a := p.call(0, "", "auth_status", "txid", push.field("txid")); a.field("result") != "deny" || a.field("status") != "fraud" {
		t.Errorf("auth_status: %+v", a)
	}
	if a := p.call(0, "", "passcode", "username", "alice", "passcode", "123456"); a.field("result") != "allow" {
		t.Errorf("passcode: %+v", a)
	}
	enrolled := p.call(0, "", "enroll", "username", "carol")
	if err := s.Activate(enrolled.field("activation_code"), duosim.Phone("New", "")); err != nil {
		t.Errorf("%v: %+v", err, enrolled)
	}
	if a := p.call(0, "", "enroll_status", "user_id", enrolled.field("user_id"), "activation_code", enrolled.field("activation_code")); a.Response != "success" {
		t.Errorf("enroll_status: %+v", a)
	}
}

func TestDuoAPINode(t *testing.T) {
	t.Parallel()
	s := duosim.Start(t, duosim.Config{})
	nodePeer(t, s).exchange()
}
