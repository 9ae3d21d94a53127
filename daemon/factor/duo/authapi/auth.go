package authapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// Method is a way to prove oneself to Duo.
type Method string

// Methods.
const (
	Push     Method = "push"
	Phone    Method = "phone"
	SMS      Method = "sms" // sends passcodes, and therefore always denies
	Passcode Method = "passcode"
)

// AnyDevice lets Duo choose among those that can do it.
const AnyDevice = "auto"

// Field is a line that a push shows.
type Field struct{ Name, Value string }

// maxPushInfo is the most that Duo takes of the lines of a push, encoded.
const maxPushInfo = 20000

// AuthRequest asks for a proof: https://duo.com/docs/authapi#/auth
type AuthRequest struct {
	Person   Person
	From     From
	Method   Method
	Device   string        // for all methods but Passcode; "": AnyDevice
	Passcode factor.Secret // of a token, an app, an SMS, or Duo's bypass code
	// The others are for Push.
	TxID            string // Preauth's, of a Verified Push
	Title           string // what is asked for: "Login request"
	DisplayUsername string // whom the push says it is for
	Info            []Field
}

// Outcome is how far a proof is. The zero value denies.
type Outcome uint8

// Outcomes.
const (
	OutcomeDeny Outcome = iota
	OutcomeWaiting
	OutcomeAllow
)

// UnmarshalText implements encoding.TextUnmarshaler. An unknown outcome is an error.
func (o *Outcome) UnmarshalText(b []byte) error {
	return among(o, b, map[string]Outcome{"deny": OutcomeDeny, "waiting": OutcomeWaiting, "allow": OutcomeAllow})
}

// Verdict is Duo's answer about a proof. Only Outcome decides.
type Verdict struct {
	Outcome Outcome
	// TxID is what AuthStatus asks after while the outcome is OutcomeWaiting.
	TxID string
	// Status is pushed, answered, allow, bypass, deny, fraud, timeout, locked_out,
	// sent, or one that is not known yet. Not all of them are seen.
	Status  string
	Message string // for the person; Duo's text, as it came
	// TrustedDeviceToken makes later Preauths say DecisionAllow, if the Remembered
	// Devices policy has it. It belongs to one user, machine and client.
	TrustedDeviceToken factor.Secret
}

type verdict struct {
	Outcome *Outcome `json:"result"`
	TxID    string   `json:"txid"`
	Status  string   `json:"status"`
	Message string   `json:"status_msg"`
	Token   string   `json:"trusted_device_token"`
}

func (v verdict) public() Verdict {
	return Verdict{Outcome: *v.Outcome, TxID: v.TxID, Status: v.Status, Message: v.Message, TrustedDeviceToken: secret(v.Token)}
}

// params returns what an AuthRequest is on the wire. A push and a call are
// asynchronous: they ring, and AuthStatus waits.
func (r AuthRequest) params() (map[string]string, error) {
	params := map[string]string{"factor": string(r.Method)}
	if err := r.Person.put(params); err != nil {
		return nil, err
	}
	r.From.put(params)
	switch r.Method {
	case Push, Phone:
		params["async"] = "1"
	case SMS:
	case Passcode:
		params["passcode"] = string(r.Passcode)
		return params, nil
	default:
		return nil, fmt.Errorf("unknown method %q", r.Method)
	}
	params["device"] = r.Device
	if r.Device == "" {
		params["device"] = AnyDevice
	}
	if r.Method != Push {
		return params, nil
	}
	for name, value := range map[string]string{"txid": r.TxID, "type": r.Title, "display_username": r.DisplayUsername, "pushinfo": info(r.Info)} {
		if value != "" {
			params[name] = value
		}
	}
	if len(params["pushinfo"]) >= maxPushInfo {
		return nil, fmt.Errorf("the push has more than %d bytes to show", maxPushInfo)
	}
	return params, nil
}

// info encodes the lines of a push in their order.
func info(fields []Field) (encoded string) {
	for i, f := range fields {
		if i > 0 {
			encoded += "&"
		}
		encoded += escape(f.Name) + "=" + escape(f.Value)
	}
	return encoded
}

// Auth asks for a proof. It is sent at most once to a Duo that acts on it: what was
// not answered is never repeated, for it may ring already.
func (c *Client) Auth(ctx context.Context, r AuthRequest) (Verdict, error) {
	params, err := r.params()
	if err != nil {
		return Verdict{}, &Error{Kind: Refused, Call: "auth", cause: err}
	}
	var v verdict
	if err := c.call(ctx, request{name: "auth", method: http.MethodPost, path: "/auth/v2/auth", params: params, limit: c.deadline, rings: params["async"] != ""}, &v); err != nil {
		return Verdict{}, err
	}
	if params["async"] != "" && v.Outcome == nil {
		waiting := OutcomeWaiting
		v.Outcome = &waiting
	}
	if v.Outcome == nil || *v.Outcome == OutcomeWaiting && v.TxID == "" {
		return Verdict{}, incomplete("auth")
	}
	return v.public(), nil
}

// Bounds on asking again after one proof.
const (
	// pollPause is the least time from one poll to the next that repeats it. A poll
	// that lasted for as long was held; others are repeated maxRepeats times.
	pollPause  = time.Second
	maxRepeats = 8
	// leastPoll is the least time from one change of state to the next poll.
	leastPoll = 100 * time.Millisecond
)

// tooLong is Duo's code for a parameter that is not valid. Of a txid that was valid a
// moment ago it says that nothing has changed for as long as Duo holds a poll.
const tooLong = 40002

// AuthStatus waits until the proof changes its state:
// https://duo.com/docs/authapi#/auth_status
// A poll that Duo gave up, or whose connection broke, is repeated: it only asks.
func (c *Client) AuthStatus(ctx context.Context, txid string) (Verdict, error) {
	q := request{
		name: "auth_status", method: http.MethodGet, path: "/auth/v2/auth_status", params: map[string]string{"txid": txid},
		limit: c.deadline, repeatable: true, polling: true,
	}
	ctx, cancel := within(ctx, c.deadline)
	defer cancel()
	for repeats := 0; ; {
		began := time.Now()
		var v verdict
		err := c.call(ctx, q, &v)
		if err == nil {
			if v.Outcome == nil {
				return Verdict{}, incomplete(q.name)
			}
			v.TxID = txid
			return v.public(), nil
		}
		if time.Since(began) < c.pollPause {
			repeats++
		}
		if repeats > maxRepeats || !worthRepeating(err) {
			return Verdict{}, err
		}
		if !sleep(ctx, c.pollPause-time.Since(began)) {
			return Verdict{}, ended(ctx, q.name, err)
		}
	}
}

func worthRepeating(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Code == tooLong || e.Outage())
}

// Await asks after a proof until it is decided. told, if it is not nil, is given
// every state on the way.
func (c *Client) Await(ctx context.Context, txid string, told func(Verdict)) (Verdict, error) {
	for {
		began := time.Now()
		v, err := c.AuthStatus(ctx, txid)
		if err != nil || v.Outcome != OutcomeWaiting {
			return v, err
		}
		if told != nil {
			told(v)
		}
		// A server that does not hold polls is not to be asked in a tight loop.
		if !sleep(ctx, leastPoll-time.Since(began)) {
			return Verdict{}, ended(ctx, "auth_status", context.DeadlineExceeded)
		}
	}
}

// ended is the failure of a call that had no time left for another try, of which err
// was the last.
func ended(ctx context.Context, call string, err error) *Error {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return &Error{Kind: Ended, Call: call, cause: err}
}
