package duosim

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"time"
)

// codeTime is how long preauth's verification code may be used.
const codeTime = time.Minute

// verification is what a verified push needs: a code that the person types into
// the app, where only the client that asked can have shown it.
type verification struct {
	user, code string
	until      time.Time
}

// trust is a remembered device.
type trust struct {
	user, ipaddr string
	until        time.Time
}

// preauth says what this user can do.
func (s *Server) preauth(_ context.Context, in call) (any, *failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, name, f := in.user(s)
	if f != nil {
		return nil, f
	}
	if a == nil {
		return s.verdict(s.c.Unknown, name), nil
	}
	switch {
	case a.Status != Active:
		return s.verdict(a.Status, name), nil
	case len(a.Devices) == 0:
		return s.verdict(Enroll, name), nil
	case s.trusts(in, a.Name):
		return fields{"result": "allow", "status_msg": "This device is remembered"}, nil
	}
	supported := in.params["client_supports_verified_push"] == "1"
	out := fields{
		"result":     "auth",
		"status_msg": "Account is active",
		"devices":    s.devices(a, !s.c.VerifiedPush || supported),
	}
	if s.c.VerifiedPush && supported {
		txid, v := s.verify(a.Name)
		out["txid"], out["verification_code"], out["expiration"] = txid, v.code, v.until.Unix()
	}
	return out, nil
}

// verdict is preauth's word for who need not, or can not, be asked.
func (s *Server) verdict(st Status, name string) fields {
	switch st {
	case Bypass:
		return fields{"result": "allow", "status_msg": "Account is in bypass"}
	case Enroll:
		return fields{
			"result":            "enroll",
			"status_msg":        "Enroll an authentication device to proceed",
			"enroll_portal_url": fmt.Sprintf("https://%s/portal?user=%s", s.Host(), escape(name)),
		}
	case LockedOut:
		return fields{"result": "deny", "status_msg": "Your account is locked out"}
	}
	return fields{"result": "deny", "status_msg": "Your account is disabled"}
}

// devices of preauth. A client that cannot show a code is offered no push where
// policy wants one.
func (s *Server) devices(a *account, push bool) []fields {
	var all []fields
	for _, d := range a.Devices {
		one := fields{"device": d.ID, "type": d.Type, "name": d.Name}
		if d.Type == "phone" {
			var can []string
			for _, c := range d.Capabilities {
				if push || c != "push" && c != "auto" {
					can = append(can, c)
				}
			}
			one["display_name"], one["number"], one["capabilities"] = d.display(), d.masked(), can
			if d.can("sms") && len(a.sent) > 0 {
				one["sms_nextcode"] = a.sent[0][:1]
			}
		}
		all = append(all, one)
	}
	return all
}

// verify makes a code for the next push of a user.
func (s *Server) verify(name string) (txid string, v verification) {
	for id, old := range s.verified {
		if s.now().After(old.until) {
			delete(s.verified, id)
		}
	}
	n, err := rand.Int(rand.Reader, big.NewInt(1000))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	txid, v = random(36), verification{user: name, code: fmt.Sprintf("%03d", n), until: s.now().Add(codeTime)}
	s.verified[txid] = v
	return txid, v
}

// trusts says whether the call carries a token of a remembered device, from where
// it was made.
func (s *Server) trusts(in call, name string) bool {
	token := in.params["trusted_device_token"]
	t, known := s.trusted[token]
	return known && t.user == name && t.ipaddr == in.params["ipaddr"] && s.now().Before(t.until)
}

// remember makes such a token, if policy says so.
func (s *Server) remember(name, ipaddr string) string {
	if s.c.Remember == 0 {
		return ""
	}
	token := random(48)
	s.trusted[token] = trust{user: name, ipaddr: ipaddr, until: s.now().Add(s.c.Remember)}
	return token
}
