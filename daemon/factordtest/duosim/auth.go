package duosim

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// auth begins to authenticate a user: at once, or when auth_status says so.
func (s *Server) auth(ctx context.Context, in call) (any, *failure) {
	t, f := s.attempt(in)
	if f != nil {
		return nil, f
	}
	if in.params["async"] == "1" {
		return fields{"txid": t.id}, nil
	}
	return s.wait(ctx, t.id, true)
}

// authStatus waits for the next thing that happens to an attempt.
func (s *Server) authStatus(ctx context.Context, in call) (any, *failure) {
	txid, f := in.need("txid")
	if f != nil {
		return nil, f
	}
	return s.wait(ctx, txid, false)
}

func (s *Server) attempt(in call) (*transaction, *failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, name, f := in.user(s)
	if f != nil {
		return nil, f
	}
	factor, f := in.need("factor")
	if f != nil {
		return nil, f
	}
	if v, set := in.params["async"]; set && v != "1" && v != "0" {
		return nil, fail(40002, "async")
	}
	if a == nil {
		return nil, fail(40002, "username: "+name+" is not known")
	}
	switch a.Status {
	case Bypass:
		return s.settled(a, in, state{"allow", "bypass", "Account is in bypass"}), nil
	case LockedOut:
		return s.settled(a, in, lockedOut()), nil
	case Disabled, Enroll:
		return s.settled(a, in, state{"deny", "deny", "Account is not active"}), nil
	}
	switch factor {
	case "passcode":
		code, f := in.need("passcode")
		if f != nil {
			return nil, f
		}
		if _, both := in.params["device"]; both {
			return nil, fail(40002, "device: not with a passcode")
		}
		return s.settled(a, in, a.passcode(code)), nil
	case "auto", "push", "phone", "sms":
		return s.outOfBand(a, factor, in)
	}
	return nil, fail(40002, "factor")
}

func lockedOut() state {
	return state{"deny", "locked_out", "Your account has been locked out"}
}

// passcode spends one. Which list it is on is what the status says.
func (a *account) passcode(code string) state {
	for _, list := range []*[]string{&a.Passcodes, &a.sent} {
		if i := slices.Index(*list, code); i >= 0 {
			*list = slices.Delete(*list, i, i+1)
			a.wrong = 0
			return state{"allow", "allow", "Success. Logging you in..."}
		}
	}
	if i := slices.Index(a.BypassCodes, code); i >= 0 {
		a.BypassCodes = slices.Delete(a.BypassCodes, i, i+1)
		a.wrong = 0
		return state{"allow", "bypass", "Bypass code accepted"}
	}
	a.wrong++
	if a.LockAfter > 0 && a.wrong >= a.LockAfter {
		a.Status = LockedOut
		return lockedOut()
	}
	return state{"deny", "deny", "Incorrect passcode. Please try again."}
}

// outOfBand reaches the person through a device.
func (s *Server) outOfBand(a *account, factor string, in call) (*transaction, *failure) {
	if _, both := in.params["passcode"]; both {
		return nil, fail(40002, "passcode: not with "+factor)
	}
	id, f := in.need("device")
	if f != nil {
		return nil, f
	}
	var d *Device
	for i, have := range a.Devices {
		if (id == "auto" || id == have.ID) && (factor == "auto" && id != "auto" || have.can(factor) || factor == "auto" && have.can("push")) {
			d = &a.Devices[i]
			break
		}
	}
	if d == nil {
		return nil, fail(40002, "device")
	}
	if factor == "auto" {
		factor = d.automatic()
	}
	switch factor {
	case "sms":
		a.sent = nil
		for range 10 {
			a.sent = append(a.sent, digits(7))
		}
		return s.settled(a, in, state{"deny", "sent", "New SMS passcodes sent"}), nil
	case "push", "phone":
		return s.ask(a, d, factor, in)
	}
	return nil, fail(40002, "device: it can do nothing of this")
}

// automatic is the best that a device can do.
func (d Device) automatic() string {
	for _, c := range []string{"push", "phone", "sms"} {
		if d.can(c) {
			return c
		}
	}
	return ""
}

// ask starts a push or a call.
func (s *Server) ask(a *account, d *Device, factor string, in call) (*transaction, *failure) {
	raw := in.params["pushinfo"]
	info, err := url.ParseQuery(raw)
	if err != nil || len(raw) >= maxPush {
		return nil, fail(40002, "pushinfo")
	}
	p := Push{
		User: a.Name, Factor: factor, Device: d.ID, DeviceName: d.Name, Type: in.params["type"],
		Info: info, RawInfo: raw, IPAddr: in.params["ipaddr"], Hostname: in.params["hostname"],
		DisplayUsername: in.params["display_username"], At: s.now(),
	}
	if f := s.spendCode(&p, in.params["txid"]); f != nil {
		return nil, f
	}
	if factor == "push" && s.c.VerifiedPush && p.Code == "" {
		return s.settled(a, in, state{"deny", "deny", "A verified push is required"}), nil
	}
	first := state{"waiting", "pushed", "Pushed a login request to your device..."}
	switch {
	case factor == "phone":
		first = state{"waiting", "calling", fmt.Sprintf("Dialing %s...", d.masked())}
	case d.Unreachable:
		first = state{"waiting", "push_failed", "The login request could not be sent yet"}
	case p.Code != "":
		first.msg = "Enter the code into Duo Mobile"
	}
	t := s.pushes.start(p, first)
	t.timer = time.AfterFunc(s.c.PushTimeout, func() { s.expire(t) })
	if d.Unreachable {
		return t, nil
	}
	s.pushes.announce(t)
	answer, after := s.c.Answer, s.c.After
	if a.Answer != Wait {
		answer, after = a.Answer, a.After
	}
	switch {
	case answer == Wait:
	case after == 0:
		s.decide(t, answer)
	default:
		time.AfterFunc(after, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.decide(t, answer)
		})
	}
	return t, nil
}

// spendCode ties a push to the verification code of a preauth.
func (s *Server) spendCode(p *Push, txid string) *failure {
	if txid == "" {
		return nil
	}
	v, known := s.verified[txid]
	delete(s.verified, txid)
	if !known || v.user != p.User || s.now().After(v.until) {
		return fail(40002, "txid")
	}
	p.Code = v.code
	return nil
}
