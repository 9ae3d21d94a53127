package duosim

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strconv"
	"time"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

// enroll makes a user without a device, and the code that a phone activates it
// with.
func (s *Server) enroll(_ context.Context, in call) (any, *failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, given := in.params["username"]
	if given && (name == "" || s.accounts.byName[name] != nil) {
		return nil, fail(40002, "username: empty, or exists")
	}
	if !given {
		name = "user-" + random(8)
	}
	valid, f := in.number("valid_secs", 86400, 1, 365*86400)
	if f != nil {
		return nil, f
	}
	codes, f := in.number("bypass_codes", 0, 0, 10)
	if f != nil {
		return nil, f
	}
	u := User{Name: name}
	for range codes {
		u.BypassCodes = append(u.BypassCodes, digits(9))
	}
	a := s.accounts.put(u)
	a.until = s.now().Add(time.Duration(valid) * time.Second)
	a.enroll = "duo://" + random(20) + "-" + base64.RawURLEncoding.EncodeToString([]byte(s.Host()))
	out := fields{
		"user_id":            a.ID,
		"username":           name,
		"activation_code":    a.enroll,
		"activation_barcode": fmt.Sprintf("https://%s/frame/qr?value=%s", s.Host(), escape(a.enroll)),
		"expiration":         a.until.Unix(),
	}
	if codes > 0 {
		out["bypass_codes"] = u.BypassCodes
	}
	return out, nil
}

func (c call) number(name string, otherwise, low, high int) (int, *failure) {
	text, given := c.params[name]
	if !given {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, fail(40002, name)
	}
	return n, nil
}

// enrollStatus answers with a bare word.
func (s *Server) enrollStatus(_ context.Context, in call) (any, *failure) {
	id, f := in.need("user_id")
	if f != nil {
		return nil, f
	}
	code, f := in.need("activation_code")
	if f != nil {
		return nil, f
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts.byID[id]
	switch {
	case a == nil || a.enroll != code:
		return "invalid", nil
	case len(a.Devices) > 0:
		return "success", nil
	case s.now().After(a.until):
		return "invalid", nil
	}
	return "waiting", nil
}

// Activate is the phone that has read an activation code: its user can be asked
// from now on.
func (s *Server) Activate(code string, phone Device) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts.byID {
		if code == "" || a.enroll != code {
			continue
		}
		if len(a.Devices) > 0 || s.now().After(a.until) {
			return fmt.Errorf("duosim: the activation code was used, or is too old")
		}
		if phone.ID == "" {
			phone.ID = identifier("DP", a.Name+"/"+phone.Name+phone.Number)
		}
		a.Devices = append(a.Devices, phone)
		return nil
	}
	return fmt.Errorf("duosim: %q is no activation code", code)
}

// barcode is the picture that a phone's camera reads an activation code from.
func (s *Server) barcode(w http.ResponseWriter, r *http.Request) {
	text := r.URL.Query().Get("value")
	code, err := qr.Encode(text[:min(len(text), 256)], qr.M, qr.Auto)
	if err == nil {
		code, err = barcode.Scale(code, 4*code.Bounds().Dx(), 4*code.Bounds().Dx())
	}
	var b bytes.Buffer
	if err == nil {
		err = png.Encode(&b, code)
	}
	if err != nil {
		fail(40002, "value").reply().write(w, s.time())
		return
	}
	reply{status: http.StatusOK, kind: "image/png", raw: b.Bytes()}.write(w, s.time())
}

// logo is a picture, the only answer that is no JSON.
func (s *Server) logo(context.Context, call) (any, *failure) {
	m := image.NewGray(image.Rect(0, 0, 16, 16))
	for i := range 16 {
		m.SetGray(i, i, color.Gray{Y: 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return nil, fail(50001, "")
	}
	return b.Bytes(), nil
}
