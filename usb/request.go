package usb

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/factord/factord/daemon/wire/agent"
)

// job is an operation that is understood.
type job struct {
	wait time.Duration
	do   func(context.Context, Operations, Talk) (reply []byte, err error)
}

// operation parses the request of one verb. own says that the caller is of this
// process's uid.
type operation func(text []byte, own bool) (job, error)

// verbs are all that can be asked for.
var verbs = map[string]operation{
	agent.Keys:    of(checkKeys, Operations.Keys),
	agent.Capture: of(checkCapture, Operations.Capture),
	agent.HMAC:    of(checkHMAC, Operations.HMAC),
	agent.Card:    of(checkCard, Operations.Card),
	agent.Sign:    of(checkSign, Operations.Sign),
	agent.Create:  of(checkCreate, Operations.Create),
	agent.Assert:  of(checkAssert, Operations.Assert),
}

// request is a pointer to a request of package agent.
type request[Q any] interface {
	*Q
	Base() *agent.Common
}

func of[Q, R any, P request[Q]](check func(P) error, do func(Operations, context.Context, Q, Talk) (R, error)) operation {
	return func(text []byte, own bool) (job, error) {
		q := P(new(Q))
		err := parse(text, q)
		if err == nil {
			err = checkCommon(q.Base(), own)
		}
		if err == nil {
			err = check(q)
		}
		if err != nil {
			return job{}, protocolf("%v", err)
		}
		return job{q.Base().WaitTime(), func(ctx context.Context, o Operations, t Talk) ([]byte, error) {
			r, err := do(o, ctx, *q, t)
			if err != nil {
				return nil, err
			}
			return encode(r)
		}}, nil
	}
}

// parse reads one value of JSON, of which every key is known and after which nothing
// follows.
func parse(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("reading the request: something follows it")
	}
	return nil
}

// encode makes the one line of a reply.
func encode(r any) ([]byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding the reply: %w", err)
	}
	if len(text) >= agent.MaxReply {
		return nil, &agent.Error{Code: agent.Internal, Text: "the reply is too long"}
	}
	return append(text, '\n'), nil
}

// Limits of what is in a request.
const (
	maxSerials     = 64   // a user's keys, and everybody's at enrolment
	maxCredentials = 64   // the same
	maxCredential  = 1024 // bytes of a credential id (WebAuthn: 1023)
	maxText        = 80   // characters that a key types at most
	scanMap        = 45   // bytes, a character of the key's alphabet each
	maxChallenge   = 63   // bytes: of 64 the key drops the last
	maxPublic      = 1200 // bytes of PKIX: RSA 4096 has 550
	maxMessage     = 4096 // bytes that are hashed before they are signed
	maxRPID        = 255  // bytes
	maxUserID      = 64   // bytes (CTAP2 user.id)
	hashSize       = 32
	maxPort        = 64 // bytes of the kernel's name of a USB device
	maxAppID       = 255
)

func checkCommon(c *agent.Common, own bool) error {
	switch {
	case !slices.Contains([]string{"", "hidraw", "libusb"}, c.Backend):
		return fmt.Errorf("unknown backend %q", c.Backend)
	case c.Wait < 0 || c.Wait > agent.MaxWait.Milliseconds():
		return fmt.Errorf("wait: %d ms", c.Wait)
	case c.Device != "" && !own:
		return fmt.Errorf("a device can be named by this process's own user only")
	case c.Device != "" && (!filepath.IsAbs(c.Device) || filepath.Clean(c.Device) != c.Device):
		return fmt.Errorf("device: not a clean absolute path")
	}
	return nil
}

func checkKeys(*agent.KeysRequest) error { return nil }

func checkCapture(q *agent.CaptureRequest) error {
	switch {
	case len(q.Serials) > maxSerials || slices.Contains(q.Serials, 0):
		return fmt.Errorf("serials: more than %d, or one is 0", maxSerials)
	case q.Any && len(q.Serials) > 0:
		return fmt.Errorf("serials and any can't be together")
	case len(q.Lengths) > maxText || slices.ContainsFunc(q.Lengths, func(n int) bool { return n < 1 || n > maxText }):
		return fmt.Errorf("lengths: one is not from 1 to %d", maxText)
	case q.ScanMap != nil && (len(q.ScanMap) != scanMap || len(q.Serials) != 1):
		return fmt.Errorf("scan_map: not %d bytes, or not of one key", scanMap)
	}
	return nil
}

func checkHMAC(q *agent.HMACRequest) error {
	switch n := len(q.Challenge); {
	case q.Slot != 1 && q.Slot != 2:
		return fmt.Errorf("slot: %d", q.Slot)
	case n == 0 || n > maxChallenge || q.Challenge[n-1] == 0:
		return fmt.Errorf("challenge: not 1 to %d bytes of which the last is not 0", maxChallenge)
	}
	return nil
}

// checkSlot accepts the slots of PIV that can hold a key to log in with.
func checkSlot(s string) error {
	if !slices.Contains([]string{"9a", "9c", "9d", "9e"}, s) {
		return fmt.Errorf("slot: %q", s)
	}
	return nil
}

func checkCard(q *agent.CardRequest) error {
	if q.Tries && q.Serial == 0 {
		return fmt.Errorf("tries: of which card is not said")
	}
	return checkSlot(q.Slot)
}

func checkSign(q *agent.SignRequest) error {
	switch {
	case len(q.Public) == 0 || len(q.Public) > maxPublic:
		return fmt.Errorf("public_key: %d bytes", len(q.Public))
	case len(q.Message) == 0 || len(q.Message) > maxMessage:
		return fmt.Errorf("message: %d bytes", len(q.Message))
	case !slices.Contains([]string{"", "never", "always", "cached"}, q.Touch):
		return fmt.Errorf("touch: %q", q.Touch)
	}
	return checkSlot(q.Slot)
}

func checkCreate(q *agent.CreateRequest) error {
	switch {
	case len(q.Port) > maxPort || strings.Trim(q.Port, "0123456789.-") != "":
		return fmt.Errorf("port: %q", q.Port)
	case len(q.UserID) == 0 || len(q.UserID) > maxUserID:
		return fmt.Errorf("user_id: %d bytes", len(q.UserID))
	case len(q.Exclude) > maxCredentials || slices.ContainsFunc(q.Exclude, badCredential):
		return fmt.Errorf("exclude: more than %d, or one is not of 1 to %d bytes", maxCredentials, maxCredential)
	}
	return checkParty(q.RPID, q.ClientHash)
}

func checkAssert(q *agent.AssertRequest) error {
	bad := func(c agent.Credential) bool { return badCredential(c.ID) || !isText(c.AppID, maxAppID) }
	if n := len(q.Credentials); n == 0 || n > maxCredentials || slices.ContainsFunc(q.Credentials, bad) {
		return fmt.Errorf("credentials: not 1 to %d, or one is not of 1 to %d bytes", maxCredentials, maxCredential)
	}
	return checkParty(q.RPID, q.ClientHash)
}

func badCredential(id []byte) bool { return len(id) == 0 || len(id) > maxCredential }

func checkParty(rp string, hash []byte) error {
	if rp == "" || !isText(rp, maxRPID) {
		return fmt.Errorf("rp_id: %q", rp)
	}
	if len(hash) != hashSize {
		return fmt.Errorf("client_data_hash: %d bytes", len(hash))
	}
	return nil
}

// isText reports whether s is printable ASCII of at most limit bytes.
func isText(s string, limit int) bool {
	return len(s) <= limit && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
