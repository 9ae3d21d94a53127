package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/yksim"
	"github.com/factord/factord/daemon/wire"
)

const (
	// touches are how many logins of each kind are one round. Each is of a user of its
	// own, since a TOTP code is good for one login in half a minute.
	touches = 80
	// touchers are how many users there are of each kind.
	touchers = touches * socketRounds
	// yubicoCases are those who log in besides: by a server, by ykclient, and nobody.
	yubicoCases = 1
)

// keys are the YubiKeys and tokens of the benchmark.
type keys struct {
	f          *factord
	server     *yksim.Server
	url        string
	mine       *yksim.Key // verified by the server, asked by factord
	others     *yksim.Key // the same, asked by ykclient
	local      []*yksim.Key
	tokens     []string // TOTP secrets, base32
	totp, here int      // how many have logged in
}

// benchYubico measures OTPs of YubiKeys: verified here, against a TOTP code, and by a
// validation server, against ykclient.
func benchYubico(r *report, bin, dir string, rounds int) error {
	k := &keys{mine: yksim.NewKey("cccccccccccb"), others: yksim.NewKey("cccccccccccd")}
	k.server = yksim.NewServer(k.mine, k.others)
	web := httptest.NewServer(k.server)
	defer web.Close()
	k.url = web.URL + yksim.Path
	config, err := k.config(dir)
	if err != nil {
		return err
	}
	if k.f, err = startWith(bin, filepath.Join(dir, "yubico"), config, yubicoCases); err != nil {
		return err
	}
	defer k.f.stop()
	if err := k.enrol(); err != nil {
		return err
	}
	if err := k.verdicts(r); err != nil {
		return err
	}
	return k.processes(r, bin, rounds)
}

func (k *keys) config(dir string) (string, error) {
	file := filepath.Join(dir, "yubico-api-key")
	if err := os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(k.server.APIKey)), 0o600); err != nil {
		return "", err
	}
	return fmt.Sprintf("[[yubico.server]]\nurl = %q\nclient_id = %d\napi_key_file = %q\n[[rule]]\nfactors = [\"totp\", \"yubico\"]\n", k.url, yksim.ClientID, file), nil
}

// tokenUser and keyUser are the n-th user of a kind. They stand side by side in the
// user database, which is read from its beginning at each login.
func tokenUser(n int) string { return userName(yubicoCases + 2*n) }
func keyUser(n int) string   { return userName(yubicoCases + 2*n + 1) }

func (k *keys) enrol() error {
	call := func(command string, answers ...string) (reply struct{ URI string }, err error) {
		data, err := factordtest.Call(k.f.socket, -1, command, answers...)
		if err == nil {
			err = json.Unmarshal([]byte(data[0]), &reply)
		}
		return reply, err
	}
	if _, err := call(wire.Command(wire.VerbEnroll, "factor", "yubico", "user", userName(0), "no-confirm", "1", "public-id", k.mine.PublicID)); err != nil {
		return err
	}
	var file, users []string // for factord takes some at a time
	for n := range touchers {
		reply, err := call(wire.Command(wire.VerbEnroll, "factor", "totp", "user", tokenUser(n), "no-confirm", "1"))
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(reply.URI, "secret=")
		secret, _, _ := strings.Cut(rest, "&")
		one := yksim.NewKey("vvcccc" + strings.NewReplacer("0", "c", "1", "b", "2", "d", "3", "e", "4", "f", "5", "g", "6", "h", "7", "i", "8", "j", "9", "k").Replace(fmt.Sprintf("%06d", n)))
		k.tokens, k.local = append(k.tokens, secret), append(k.local, one)
		privateID, aesKey := one.Secrets()
		file = append(file, fmt.Sprintf("%d,%s,%s,%s,,,\n", n+1, one.PublicID, privateID, aesKey))
		users = append(users, fmt.Sprintf("%s,%s\n", one.PublicID, keyUser(n)))
	}
	_, err := call(wire.Command(wire.VerbImport, "factor", "yubico"), append(parts(file), parts(users)...)...)
	return err
}

// parts are lines in answers that an inquiry takes, and an empty one behind them.
func parts(lines []string) (answers []string) {
	const together = 100
	for len(lines) > 0 {
		n := min(together, len(lines))
		answers, lines = append(answers, strings.Join(lines[:n], "")), lines[n:]
	}
	return append(answers, "")
}

// verdicts measures local verification over the socket.
func (k *keys) verdicts(r *report) error {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(active + 4)) // blocked threads keep their place
	c := &client{socket: k.f.socket}
	s := series{}
	for range socketRounds {
		var names, codes []string
		for range touches {
			code, err := totp.GenerateCode(k.tokens[k.totp], time.Now())
			if err != nil {
				return err
			}
			names, codes = append(names, tokenUser(k.totp)), append(codes, code)
			k.totp++
		}
		s.add("totp", c.each(names, codes))
		names, codes = nil, nil
		for range touches {
			names, codes = append(names, keyUser(k.here)), append(codes, k.local[k.here].Touch())
			k.here++
		}
		s.add("here", c.each(names, codes))
		names, codes = nil, nil
		for range touches {
			names, codes = append(names, userName(0)), append(codes, plugged(k.mine))
		}
		s.add("server", c.each(names, codes))
	}
	r.section("OTPs of YubiKeys over the socket: connect, AUTH, OTP, durable allow")
	for _, kind := range []string{"totp", "here", "server"} {
		r.due(kind, s[kind])
	}
	r.time("a TOTP code, p50", s["totp"].p50())
	r.time("an OTP that is verified here, p50", s["here"].p50())
	r.time("an OTP that a server verifies, p50", s["server"].p50())
	r.atMost("verified here / TOTP", float64(s["here"].p50())/float64(s["totp"].p50()), 1.1)
	return nil
}

// each makes one attempt for each name.
func (c *client) each(names, codes []string) *sample {
	runtime.GC() // none may come while threads are blocked in hear
	s := &sample{}
	begin := time.Now()
	for n, name := range names {
		t := time.Now()
		if err := c.login(name, codes[n]); err != nil {
			s.errors, s.first = s.errors+1, err
		}
		s.times = append(s.times, time.Since(t))
	}
	s.took = time.Since(begin)
	return s
}

// plugged is an OTP of a key that has just been plugged in: one session has few.
func plugged(k *yksim.Key) string {
	k.Plug()
	return k.Touch()
}

// processes measures whole programs that have the same server verify an OTP.
func (k *keys) processes(r *report, bin string, rounds int) error {
	ykclient, err := exec.LookPath("ykclient")
	if err != nil {
		return missing("ykclient", "libykclient-dev")
	}
	helper := filepath.Join(bin, "factor-helper")
	ours := &process{
		name: "factor-helper, factord: OTP, server", argv: []string{helper, "--socket", k.f.socket, "pam"},
		env:   []string{"PAM_TYPE=auth", "PAM_USER=" + userName(0), "PAM_SERVICE=bench", "PAM_TTY="},
		input: func() (string, error) { return plugged(k.mine) + "\n", nil },
	}
	theirs := &process{
		name:     "ykclient: OTP, server",
		argv:     []string{ykclient, "--url", k.url, "--apikey", base64.StdEncoding.EncodeToString(k.server.APIKey), strconv.Itoa(yksim.ClientID)},
		input:    func() (string, error) { return plugged(k.others), nil },
		argument: true,
	}
	if err := takeTurns(rounds, []*process{ours, theirs}); err != nil {
		return err
	}
	r.section(fmt.Sprintf("Whole programs that have the same validation server verify an OTP: p50 of %d, and times ykclient", rounds))
	for _, one := range []*process{ours, theirs} {
		r.due(one.name, &one.sample)
		r.against(one.name, one.p50(), theirs.p50())
	}
	r.atMost("factor-helper and factord / ykclient", ratio(ours, theirs), 1.3)
	for _, one := range []*process{ours, theirs} { // what spends nothing would be measured for nothing
		state, _, err := one.run()
		if err != nil {
			return err
		}
		if state.Success() {
			return errors.New(one.name + " takes an OTP twice")
		}
	}
	return nil
}
