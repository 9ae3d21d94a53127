package ykval

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of an answer. Real ones have some 250 bytes.
const (
	maxBody   = 8 << 10
	maxParams = 32
)

// parse reads the parameters of an answer, whole or not at all: a line each, in any
// order. A value can have "=" in it.
func parse(body string) (map[string]string, error) {
	params := map[string]string{}
	for line := range strings.SplitSeq(body, "\n") {
		line = strings.TrimRight(line, " \t\r")
		if line == "" {
			continue
		}
		key, value, found := strings.Cut(line, "=")
		if !found || key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			return nil, errors.New("a line of the answer is no parameter")
		}
		if _, twice := params[key]; twice {
			return nil, fmt.Errorf("the answer has %s twice", quoted(key))
		}
		if len(params) == maxParams {
			return nil, fmt.Errorf("the answer has more than %d parameters", maxParams)
		}
		params[key] = value
	}
	if params["status"] == "" {
		return nil, errors.New("the answer has no status")
	}
	return params, nil
}

// judge says what an answer to a request means. Of one that is not signed with our
// key nothing is believed. Servers sign with no key at all what they say before they
// know who asks, so these errors come as such.
func judge(apiKey []byte, sent, got map[string]string) (Answer, error) {
	status := got["status"]
	if !signed(apiKey, got) {
		return Answer{}, fmt.Errorf("%w; it says %s", errUnsigned, quoted(status))
	}
	for _, key := range []string{"otp", "nonce"} {
		value, echoed := got[key]
		if value != sent[key] && (echoed || status == "OK") {
			return Answer{}, fmt.Errorf("%w: its %s is not ours; it says %s", errOther, key, quoted(status))
		}
	}
	switch status {
	case "OK":
		return accepted(got)
	case "REPLAYED_OTP":
		return Answer{Outcome: Replayed, Log: "the server has seen this OTP or a later one"}, nil
	case "DELAYED_OTP":
		return Answer{Outcome: Replayed, Log: "the server says that this OTP was made long before it was sent"}, nil
	case "BAD_OTP":
		return Answer{Outcome: Wrong, Log: "the server says that this is no OTP of a key that it knows"}, nil
	case "REPLAYED_REQUEST", "NOT_ENOUGH_ANSWERS":
		return Answer{}, fmt.Errorf("%w: %s", ErrConsumed, status)
	case "BACKEND_ERROR":
		return Answer{}, errors.New("the server is out of order: BACKEND_ERROR")
	case "BAD_SIGNATURE", "MISSING_PARAMETER", "NO_SUCH_CLIENT", "OPERATION_NOT_ALLOWED":
		return Answer{}, fmt.Errorf("the server refuses us: %s\nhint: check client_id and the API key of [[yubico.server]]", status)
	}
	return Answer{}, fmt.Errorf("unknown status %s", quoted(status))
}

// accepted is the answer OK with the counters, if the server tells them.
func accepted(got map[string]string) (Answer, error) {
	a := Answer{Outcome: Accepted}
	use, hasUse := got["sessioncounter"]
	session, hasSession := got["sessionuse"]
	if !hasUse && !hasSession {
		return a, nil
	}
	u, err1 := strconv.ParseUint(use, 10, 16)
	s, err2 := strconv.ParseUint(session, 10, 8)
	if err := errors.Join(err1, err2); err != nil {
		return Answer{}, errors.New("the answer is OK, and its counters are no numbers")
	}
	a.Counted, a.Use, a.Session = true, uint16(u), uint8(s)
	return a, nil
}
