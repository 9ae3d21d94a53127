package authapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// envelope is around every answer: https://duo.com/docs/authapi#response-format
// Keys that are not known here may come at any time.
type envelope struct {
	Stat     string          `json:"stat"`
	Response json.RawMessage `json:"response"`
	Code     text            `json:"code"`
	Message  text            `json:"message"`
	Detail   text            `json:"message_detail"`
}

// text is a string that may come as a number, or not at all: codes do all three.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		return nil
	case b[0] == '"':
		return json.Unmarshal(b, (*string)(t))
	case b[0] == '-' || '0' <= b[0] && b[0] <= '9':
		*t = text(b)
		return nil
	}
	return errors.New("neither text nor a number")
}

// number returns 0 for what is none.
func (t text) number() int64 {
	n, err := strconv.ParseInt(string(t), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// secret hides a text; the empty one is nil.
func secret(s string) factor.Secret {
	if s == "" {
		return nil
	}
	return factor.Secret(s)
}

// codeDigits is how many digits of a code follow its HTTP status: 40103 is a 401.
const codeDigits = 100

// read reads an answer into answer, or completes failure and returns it. The status
// decides what is wrong even where the body is an HTML page of something in between.
// now is the time by Duo's clock, which its dates are to be compared with.
func read(failure *Error, h http.Header, body []byte, answer any, now time.Time) *Error {
	status := failure.Status
	var e envelope
	err := decode(body, &e)
	if err == nil {
		failure.Code = int(e.Code.number())
		failure.Message, failure.Detail = string(e.Message), string(e.Detail)
		if status/100 == 2 && e.Stat == "FAIL" && failure.Code/codeDigits >= 400 {
			status = failure.Code / codeDigits
		}
	}
	if status/100 != 2 {
		failure.Kind = kindOf(status)
		failure.Wait = retryAfter(h, now)
		failure.blameClock()
		if err != nil {
			failure.cause = errors.New("not Duo's JSON")
		}
		return failure
	}
	failure.Kind = Garbled
	switch {
	case err != nil:
		failure.cause = err
	case e.Stat == "FAIL":
		failure.Kind = Refused
	case e.Stat != "OK":
		failure.cause = errors.New("neither OK nor FAIL")
	case decode(e.Response, answer) != nil:
		failure.cause = errors.New("a response of another form")
	default:
		return nil
	}
	return failure
}

// decode reads one JSON value and nothing after it. Its errors have none of the
// text: a page of a captive portal has no place in a log.
func decode(b []byte, v any) error {
	if len(b) > maxAnswer {
		return errors.New("longer than an answer is")
	}
	if err := json.Unmarshal(b, v); err != nil {
		return errors.New("not Duo's JSON")
	}
	return nil
}

// kindOf tells failures apart by their HTTP status.
func kindOf(status int) Kind {
	switch {
	case status == http.StatusUnauthorized:
		return BadKey
	case status == http.StatusTooManyRequests:
		return Throttled
	case status/100 == 4:
		return Refused
	case status/100 == 5:
		return Broken
	}
	return Garbled
}
