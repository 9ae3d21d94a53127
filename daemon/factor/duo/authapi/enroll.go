package authapi

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// Enrollment is a new user at Duo who has yet to activate a telephone:
// https://duo.com/docs/authapi#/enroll
type Enrollment struct {
	UserID   string
	Username string
	// Code activates Duo Mobile, as the text of a QR code. Barcode is the address of
	// a picture of one. Whoever has either can become the user's second factor.
	Code, Barcode factor.Secret
	Expiration    time.Time
}

// Enroll makes a user of that name, who can activate for as long as valid says; 0 is
// Duo's default, a day.
func (c *Client) Enroll(ctx context.Context, username string, valid time.Duration) (Enrollment, error) {
	params := map[string]string{"username": username}
	if valid > 0 {
		params["valid_secs"] = strconv.Itoa(int(valid / time.Second))
	}
	var a struct {
		UserID     string `json:"user_id"`
		Username   string `json:"username"`
		Code       string `json:"activation_code"`
		Barcode    string `json:"activation_barcode"`
		Expiration text   `json:"expiration"`
	}
	if err := c.call(ctx, request{name: "enroll", method: http.MethodPost, path: "/auth/v2/enroll", params: params, limit: c.deadline}, &a); err != nil {
		return Enrollment{}, err
	}
	if a.UserID == "" || a.Code == "" {
		return Enrollment{}, incomplete("enroll")
	}
	return Enrollment{
		UserID: a.UserID, Username: a.Username, Code: secret(a.Code), Barcode: secret(a.Barcode), Expiration: at(a.Expiration),
	}, nil
}

// Activation is how far an Enrollment is. The zero value is that it came to nothing.
type Activation uint8

// Activations.
const (
	ActivationInvalid Activation = iota // expired, or never was
	ActivationWaiting
	ActivationDone
)

// UnmarshalText implements encoding.TextUnmarshaler. An unknown state is an error.
func (a *Activation) UnmarshalText(b []byte) error {
	return among(a, b, map[string]Activation{"invalid": ActivationInvalid, "waiting": ActivationWaiting, "success": ActivationDone})
}

// EnrollStatus asks whether an Enrollment was activated:
// https://duo.com/docs/authapi#/enroll_status
func (c *Client) EnrollStatus(ctx context.Context, e Enrollment) (Activation, error) {
	params := map[string]string{"user_id": e.UserID, "activation_code": string(e.Code)}
	var a *Activation
	err := c.call(ctx, request{
		name: "enroll_status", method: http.MethodPost, path: "/auth/v2/enroll_status", params: params, limit: c.deadline, repeatable: true,
	}, &a)
	if err != nil {
		return ActivationInvalid, err
	}
	if a == nil {
		return ActivationInvalid, incomplete("enroll_status")
	}
	return *a, nil
}

// String is Duo's word for the state.
func (a Activation) String() string {
	switch a {
	case ActivationWaiting:
		return "waiting"
	case ActivationDone:
		return "success"
	case ActivationInvalid:
		return "invalid"
	}
	return fmt.Sprintf("Activation(%d)", uint8(a))
}
