// Command peers makes one call with Duo's own Go client, duo_api_golang, and
// prints what it understood as JSON. It reads the call from standard input.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	duoapi "github.com/duosecurity/duo_api_golang"
	"github.com/duosecurity/duo_api_golang/authapi"
)

// call is what to do: over the wire (Version 2 or 5), or by a method of their
// authapi (Version 0, Path is its name).
type call struct {
	IKey, SKey, Host, CAFile string
	Version                  int
	Method, Path             string
	Params                   map[string]string
}

func main() {
	var c call
	err := json.NewDecoder(os.Stdin).Decode(&c)
	var out any
	if err == nil {
		out, err = c.make()
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (c call) make() (any, error) {
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	api := duoapi.NewDuoApi(c.IKey, c.SKey, c.Host, "factord-test", duoapi.SetTimeout(20*time.Second),
		duoapi.SetTransport(func(t *http.Transport) { t.TLSClientConfig = &tls.Config{RootCAs: pool} }))
	switch c.Version {
	case 0:
		return c.typed(authapi.NewAuthApi(*api))
	case 5:
		params := duoapi.JSONParams{}
		for k, v := range c.Params {
			params[k] = v
		}
		return answer(api.JSONSignedCall(c.Method, c.Path, params, duoapi.UseTimeout))
	}
	params := url.Values{}
	for k, v := range c.Params {
		params.Set(k, v)
	}
	return answer(api.SignedCall(c.Method, c.Path, params, duoapi.UseTimeout))
}

func answer(_ *http.Response, body []byte, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	var out any
	return out, json.Unmarshal(body, &out)
}

func (c call) typed(api *authapi.AuthApi) (any, error) {
	p := c.Params
	switch c.Path {
	case "ping":
		return api.Ping()
	case "check":
		return api.Check()
	case "logo":
		return api.Logo()
	case "enroll":
		return api.Enroll(authapi.EnrollUsername(p["username"]), authapi.EnrollValidSeconds(600))
	case "enroll_status":
		return api.EnrollStatus(p["user_id"], p["activation_code"])
	case "preauth":
		return api.Preauth(authapi.PreauthUsername(p["username"]), authapi.PreauthIpAddr("203.0.113.9"))
	case "push":
		return api.Auth("push", authapi.AuthUsername(p["username"]), authapi.AuthDevice("auto"), authapi.AuthAsync(),
			authapi.AuthPushinfo("host=web1&command=ls%20-l"), authapi.AuthDisplayUsername("Al & Co"), authapi.AuthType("SSH"))
	case "passcode":
		return api.Auth("passcode", authapi.AuthUsername(p["username"]), authapi.AuthPasscode(p["passcode"]))
	case "auth_status":
		return api.AuthStatus(p["txid"])
	}
	return nil, fmt.Errorf("no call %q", c.Path)
}
