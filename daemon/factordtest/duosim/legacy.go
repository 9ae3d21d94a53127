package duosim

import (
	"context"
	"crypto/sha1"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// legacyRoutes are those of /rest/v1, which Debian's login_duo and pam_duo
// 1.11.3 speak: a form goes in, BSON comes out, and the signature has no date.
// The names are those of Auth API v2, so that a fault means the same for both.
func legacyRoutes() map[string]route {
	v1 := []scheme{{name: "v1", hash: sha1.New, undated: true}}
	return map[string]route{
		"preauth":     {method: http.MethodPost, schemes: v1, bson: true, handle: (*Server).legacyPreauth},
		"auth":        {method: http.MethodPost, schemes: v1, bson: true, handle: (*Server).legacyAuth},
		"auth_status": {method: http.MethodGet, schemes: v1, bson: true, handle: (*Server).legacyStatus},
	}
}

func legacyName(path string) string {
	name, bson := strings.CutSuffix(strings.TrimPrefix(path, "/rest/v1/"), ".bson")
	switch {
	case bson && name == "status":
		return "auth_status"
	case bson && (name == "preauth" || name == "auth"):
		return name
	}
	return path
}

// choice is an entry of the menu that the service writes for such clients.
type choice struct{ name, factor, device, text string }

func (a *account) choices() []choice {
	var all []choice
	for i, d := range a.Devices {
		for _, one := range []choice{{"push", "push", "", "Push to "}, {"phone", "phone", "", "Call "}, {"sms", "sms", "", "Text new passcodes to "}} {
			if d.can(one.factor) {
				all = append(all, choice{one.name + strconv.Itoa(i+1), one.factor, d.ID, one.text + d.display()})
			}
		}
	}
	return all
}

// legacyPreauth has a prompt, and what to send for the entries of it.
func (s *Server) legacyPreauth(ctx context.Context, in call) (any, *failure) {
	in.params = map[string]string{"username": in.params["user"], "ipaddr": in.params["ipaddr"]}
	v2, f := s.preauth(ctx, in)
	if f != nil {
		return nil, f
	}
	out := v2.(fields)
	if out["result"] != "auth" {
		return fields{"result": out["result"], "status": out["status_msg"]}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, name, f := in.user(s)
	if f != nil || a == nil {
		return nil, fail(50001, "")
	}
	factors := fields{}
	prompt := "Second factor for " + name + ": type a passcode, or choose\n\n"
	for i, c := range a.choices() {
		if i == 0 {
			factors["default"] = c.name
		}
		factors[strconv.Itoa(i+1)] = c.name
		prompt += fmt.Sprintf(" %d. %s\n", i+1, c.text)
	}
	return fields{"result": "auth", "factors": factors, "prompt": prompt + "\nPasscode or choice: "}, nil
}

func (s *Server) legacyAuth(ctx context.Context, in call) (any, *failure) {
	if in.params["factor"] != "auto" {
		return nil, fail(40002, "factor")
	}
	v2 := map[string]string{"username": in.params["user"], "pushinfo": in.params["pushinfo"], "ipaddr": in.params["ipaddr"], "hostname": in.params["hostname"], "async": in.params["async"]}
	if v2["async"] == "" {
		v2["async"] = "0"
	}
	s.mu.Lock()
	a := s.accounts.byName[in.params["user"]]
	v2["factor"], v2["passcode"] = "passcode", in.params["auto"]
	if a != nil {
		for _, c := range a.choices() {
			if c.name == in.params["auto"] {
				delete(v2, "passcode")
				v2["factor"], v2["device"] = c.factor, c.device
			}
		}
	}
	s.mu.Unlock()
	out, f := s.auth(ctx, call{params: v2})
	return legacyState(out), f
}

func (s *Server) legacyStatus(ctx context.Context, in call) (any, *failure) {
	out, f := s.authStatus(ctx, in)
	return legacyState(out), f
}

// legacyState has no result before the end, and a sentence as status.
func legacyState(v2 any) any {
	in, is := v2.(fields)
	if !is || in["txid"] != nil {
		return v2
	}
	out := fields{"status": in["status_msg"]}
	if in["result"] != "waiting" {
		out["result"] = in["result"]
	}
	return out
}
