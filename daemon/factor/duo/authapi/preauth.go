package authapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// From is where a login comes from. Without an address, Duo's policies of networks
// and places have no effect.
type From struct {
	Addr     netip.Addr // of the client; one that is not valid is not sent
	Hostname string     // of this machine
}

func (f From) put(params map[string]string) {
	if f.Addr.IsValid() {
		params["ipaddr"] = f.Addr.Unmap().WithZone("").String()
	}
	if f.Hostname != "" {
		params["hostname"] = f.Hostname
	}
}

// Decision is what Preauth says about a person. The zero value denies.
type Decision uint8

// Decisions.
const (
	DecisionDeny   Decision = iota
	DecisionAuth            // a factor is needed
	DecisionAllow           // none is: bypass, a trusted network or device
	DecisionEnroll          // Duo does not know the person, and lets them enrol
)

// UnmarshalText implements encoding.TextUnmarshaler. An unknown decision is an error.
func (d *Decision) UnmarshalText(b []byte) error {
	return among(d, b, map[string]Decision{"deny": DecisionDeny, "auth": DecisionAuth, "allow": DecisionAllow, "enroll": DecisionEnroll})
}

func among[T any](v *T, b []byte, known map[string]T) (err error) {
	found, ok := known[string(b)]
	if !ok {
		return fmt.Errorf("unknown value %q", b)
	}
	*v = found
	return nil
}

// PreauthRequest asks what a person can do: https://duo.com/docs/authapi#/preauth
type PreauthRequest struct {
	Person Person
	From   From
	// TrustedDeviceToken is one that an earlier Verdict had; empty: none.
	TrustedDeviceToken factor.Secret
	// VerifiedPush says that a code can be shown to the person. Without it Duo's
	// policy of Verified Push is passed over, or push is not offered.
	VerifiedPush bool
	// Anew asks though Duo was down a moment ago: for whom an outage lets in.
	Anew bool
}

// Preauth is the answer. All texts are Duo's, as they came.
type Preauth struct {
	Decision  Decision
	Message   string // for the person
	Devices   []Device
	EnrollURL string // with DecisionEnroll
	// TxID and VerificationCode are of a Verified Push: the code is shown to the
	// person, and the push must be sent with TxID before Expiration (60 s).
	TxID             string
	VerificationCode factor.Secret
	Expiration       time.Time
}

// Device is a telephone or a token of a person's.
type Device struct {
	ID           string   `json:"device"`
	Type         string   `json:"type"` // phone or token
	Name         string   `json:"name"`
	DisplayName  string   `json:"display_name"`
	Number       string   `json:"number"` // all but its end is masked
	Capabilities []string `json:"capabilities"`
	NextSMS      string   `json:"sms_nextcode"` // the first digit of the next code
}

// Can reports whether the device has a capability: auto, push, sms, phone,
// mobile_otp.
func (d Device) Can(capability string) bool {
	for _, c := range d.Capabilities {
		if c == capability {
			return true
		}
	}
	return false
}

// Preauth asks, within Config.PreauthTimeout.
func (c *Client) Preauth(ctx context.Context, r PreauthRequest) (Preauth, error) {
	params := map[string]string{}
	if err := r.Person.put(params); err != nil {
		return Preauth{}, &Error{Kind: Refused, Call: "preauth", cause: err}
	}
	r.From.put(params)
	if len(r.TrustedDeviceToken) > 0 {
		params["trusted_device_token"] = string(r.TrustedDeviceToken)
	}
	if r.VerifiedPush {
		params["client_supports_verified_push"] = "1"
	}
	var a struct {
		Decision         *Decision `json:"result"`
		Message          string    `json:"status_msg"`
		Devices          []Device  `json:"devices"`
		EnrollURL        string    `json:"enroll_portal_url"`
		TxID             string    `json:"txid"`
		VerificationCode text      `json:"verification_code"`
		Expiration       text      `json:"expiration"`
	}
	err := c.call(ctx, request{name: "preauth", method: http.MethodPost, path: "/auth/v2/preauth", params: params, limit: c.preauth, repeatable: true, general: true, anew: r.Anew}, &a)
	if err != nil {
		return Preauth{}, err
	}
	if a.Decision == nil {
		return Preauth{}, incomplete("preauth")
	}
	return Preauth{
		Decision: *a.Decision, Message: a.Message, Devices: a.Devices, EnrollURL: a.EnrollURL,
		TxID: a.TxID, VerificationCode: secret(string(a.VerificationCode)), Expiration: at(a.Expiration),
	}, nil
}

// incomplete is an answer without what it is there for.
func incomplete(call string) *Error {
	return &Error{Kind: Garbled, Call: call, Status: http.StatusOK, cause: errors.New("it has no result")}
}
