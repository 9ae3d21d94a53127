// Package agent is what factord and factord-usb say to each other: which words, and
// which form requests and evidence have. The lines themselves are those of package
// wire.
//
// One connection is one operation on one key:
//
//	S: OK factord-usb 1
//	C: CAPTURE
//	S: INQUIRE REQUEST
//	C: D {"serials":[12345678],"wait":30000}
//	C: END
//	S: S INFO ready
//	S: D {"serial":12345678,"text":"cccccc…"}
//	S: OK
//
// A PIN is no part of a request: it is asked for with INQUIRE SECRET when it is needed.
// Closing the connection cancels; factord-usb then ends, and the key with it stops to
// blink as soon as its protocol allows. factord-usb knows no user names and makes no
// verdicts: what it returns is evidence, which factord checks.
//
// This package has the types alone, so that factors can use them too.
package agent

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Greeting is factord-usb's first line; the number is the version of the protocol.
const Greeting = "OK factord-usb 1"

// Verbs. Each is followed by an inquiry for the request of the type that is named
// here, and answered with a reply of the other.
const (
	Keys    = "KEYS"    // KeysRequest: KeysReply
	Capture = "CAPTURE" // CaptureRequest: CaptureReply
	HMAC    = "HMAC"    // HMACRequest: HMACReply
	Card    = "CARD"    // CardRequest: CardReply
	Sign    = "SIGN"    // SignRequest: SignReply
	Create  = "CREATE"  // CreateRequest: CreateReply
	Assert  = "ASSERT"  // AssertRequest: AssertReply
)

// Request and PIN are what factord-usb inquires for.
const (
	Request = "REQUEST"
	PIN     = "SECRET"
)

// MaxRequest and MaxReply are the longest request and reply, in bytes of JSON.
const (
	MaxRequest = 12 << 10
	MaxReply   = 64 << 10
)

// State is how an operation stands; it comes as an INFO.
type State string

// States.
const (
	Absent State = "absent" // waits for the key to be plugged in
	Busy   State = "busy"   // waits for another program to let go of the key
	Ready  State = "ready"  // the key has been found and taken, and does what it was asked for
	Touch  State = "touch"  // waits for the key to be touched
)

// Common is in every request.
type Common struct {
	// Backend is the way to the keys: "hidraw" or "libusb"; empty is hidraw.
	Backend string `json:"backend,omitempty"`
	// Wait is how many milliseconds the operation may take, persons included. A key that
	// is not there is waited for. 0: nothing is waited for.
	Wait int64 `json:"wait"`
	// Device is the path of a character device that is the key; for tests, and believed
	// from a caller with factord-usb's own uid only.
	Device string `json:"device,omitempty"`
}

// Base is the Common of any request.
func (c *Common) Base() *Common { return c }

// WaitTime is Wait as a duration, of at most MaxWait.
func (c Common) WaitTime() time.Duration {
	return min(time.Duration(c.Wait)*time.Millisecond, MaxWait)
}

// MaxWait is the longest time that an operation is given.
const MaxWait = 2 * time.Minute

// Code says what has become of an operation that brought no evidence.
type Code int

// Codes, as they stand in ERR lines. Their order is part of the protocol.
const (
	_ Code = iota
	// Internal: a mistake in factord-usb, or a system error.
	Internal
	// Protocol: a request that is not understood.
	Protocol
	// NotPermitted: the caller is not factord.
	NotPermitted
	// Gone: the key is not plugged in, or was pulled out.
	Gone
	// Held: another program holds the key, and did for the whole time.
	Held
	// NoAccess: this process may not open the key's device files, or there is no pcscd.
	NoAccess
	// NoTouch: the key was not touched in time.
	NoTouch
	// Declined: the person has said no at the key, or some keys were not touched in time.
	Declined
	// WrongKey: a key is there, but has not the slot, credential or public key.
	WrongKey
	// WrongPIN: Error.Tries says how many tries are left.
	WrongPIN
	// Blocked: the PIN is blocked.
	Blocked
	// Replug: no PIN is taken until the key was pulled out and plugged in again.
	Replug
	// NoPIN: the key has no PIN, and one is needed.
	NoPIN
	// LastTry: one try is left, and the request does not allow to spend it.
	LastTry
	// Unsupported: the key can't do it.
	Unsupported
	// Garbled: the key's answer is not understood.
	Garbled
	// Late: the time was over for another reason.
	Late
	// PINNeeded: the key wants its PIN, and none was given.
	PINNeeded
	// PINLength: no PIN is so short or long. The key was not asked.
	PINLength
	// WrongUV: the key did not recognise the finger.
	WrongUV
	// Excluded: the key has one of the credentials that a new one must not be beside.
	Excluded
)

// lastCode is the last one.
const lastCode = Excluded

// Error is an operation without evidence. Text is for the log, and short. As a line it
// is "ERR code tries text".
type Error struct {
	Code  Code
	Tries int // with WrongPIN and LastTry: how many are left; else 0
	Text  string
}

func (e *Error) Error() string { return fmt.Sprintf("factord-usb: %s", e.Text) }

// maxTries is more than any key's counter of tries has.
const maxTries = 255

// ParseError reads what stands in an ERR line: the code, and what follows it. nil is
// no error of an operation.
func ParseError(code int, rest string) *Error {
	number, text, _ := strings.Cut(rest, " ")
	tries, err := strconv.Atoi(number)
	if err != nil || tries < 0 || tries > maxTries || code < int(Internal) || code > int(lastCode) {
		return nil
	}
	return &Error{Code: Code(code), Tries: tries, Text: text}
}

// Key is a key that is plugged in.
type Key struct {
	Port     string `json:"port"`             // the kernel's name of the USB device
	Serial   uint32 `json:"serial,omitempty"` // 0: the key does not show it
	Name     string `json:"name"`             // the key's own word, printable
	Vendor   uint16 `json:"vendor"`
	Product  uint16 `json:"product"`
	Firmware string `json:"firmware,omitempty"` // "5.4.3"
	// Slots are the two of the OTP application, if the key has it.
	Slots []Slot `json:"slots,omitempty"`
	FIDO  *FIDO  `json:"fido,omitempty"`
	Card  *PIV   `json:"piv,omitempty"`
	// Note says what could not be found out about it, and why.
	Note string `json:"note,omitempty"`
}

// Slot is a slot of the OTP application.
type Slot struct {
	Number     int  `json:"slot"`
	Configured bool `json:"configured"`
	// Challenge: it answers challenges when it is asked to, and not when touched.
	// It may be false for a challenge-response slot that needs a touch.
	Challenge bool `json:"challenge,omitempty"`
}

// FIDO is what a key's FIDO2 application can do.
type FIDO struct {
	Versions []string `json:"versions"` // "FIDO_2_0", "U2F_V2"
	AAGUID   []byte   `json:"aaguid,omitempty"`
	PINSet   bool     `json:"pin_set"`
	UV       bool     `json:"uv"` // a built-in way to know the person is set up: a fingerprint
}

// PIV is what a key's PIV application has.
type PIV struct {
	Reader string    `json:"reader"`
	Tries  int       `json:"tries"` // of the PIN; -1: unknown
	Slots  []PIVSlot `json:"slots,omitempty"`
}

// PIVSlot is a slot with a key in it.
type PIVSlot struct {
	Slot      string `json:"slot"`       // "9a"
	Algorithm string `json:"algorithm"`  // "ECC P-256"
	PIN       string `json:"pin"`        // "never", "once", "always", "" for unknown
	Touch     string `json:"touch"`      // "never", "always", "cached", "" for unknown
	Public    []byte `json:"public_key"` // PKIX, DER
}

// KeysRequest asks what is plugged in.
type KeysRequest struct {
	Common
	// Cards: PIV is looked at too, which takes a card from nobody but takes its time.
	Cards bool `json:"cards,omitempty"`
}

// KeysReply is what is plugged in.
type KeysReply struct {
	Keys []Key `json:"keys"`
	// Notes say what could not be looked at, and why.
	Notes []string `json:"notes,omitempty"`
}

// CaptureRequest asks for what a key types when it is touched. It goes nowhere else.
type CaptureRequest struct {
	Common
	// Serials are the keys to listen to; with none, all that show no serial number, or,
	// with Any, all.
	Serials []uint32 `json:"serials,omitempty"`
	Any     bool     `json:"any,omitempty"`
	// Lengths end a capture, if Enter does not; with none, Enter or a pause ends it.
	Lengths []int `json:"lengths,omitempty"`
	// ScanMap is the key's, of 45 bytes, if it was changed; of one serial only.
	ScanMap []byte `json:"scan_map,omitempty"`
}

// CaptureReply is what the key has typed, in lower case.
type CaptureReply struct {
	Serial uint32 `json:"serial,omitempty"`
	Port   string `json:"port"`
	Text   []byte `json:"text"`
}

// HMACRequest asks for the answer of a challenge-response slot.
type HMACRequest struct {
	Common
	Serial uint32 `json:"serial"` // 0: the one key that shows none
	Slot   int    `json:"slot"`   // 1 or 2
	// Challenge is up to 63 bytes, of which the last is not 0; see otp.ChallengeResponse.
	Challenge []byte `json:"challenge"`
}

// HMACReply is the answer.
type HMACReply struct {
	Answer  []byte `json:"answer"`  // HMAC-SHA-1 of the challenge, 20 bytes
	Touched bool   `json:"touched"` // the key has asked for a touch
}

// CardRequest asks for what PIV enrolment needs: the public key in a slot, and where
// it comes from.
type CardRequest struct {
	Common
	Serial uint32 `json:"serial,omitempty"` // 0: the one card that there is
	Slot   string `json:"slot"`             // "9a"
	// Tries: only those of the PIN are looked at, of the named card as it is: it is not
	// waited for. A PIN that is blocked is the error Blocked.
	Tries bool `json:"tries,omitempty"`
}

// CardReply is what a card says of a slot.
type CardReply struct {
	Serial   uint32 `json:"serial"`
	Firmware string `json:"firmware"`
	Reader   string `json:"reader"`
	Tries    int    `json:"tries"` // of the PIN that are left; -1: unknown
	PIVSlot
	// Attestation is the slot's attestation certificate and Intermediate the one that
	// signed it (slot F9), in DER; empty for a key that was imported.
	Attestation  []byte `json:"attestation,omitempty"`
	Intermediate []byte `json:"intermediate,omitempty"`
}

// SignRequest asks a PIV key for a signature. The PIN is inquired for if NeedsPIN is
// set, before the card is touched.
type SignRequest struct {
	Common
	Serial   uint32 `json:"serial"`
	Slot     string `json:"slot"`
	Public   []byte `json:"public_key"` // PKIX, DER: the key in the slot must be this one
	Message  []byte `json:"message"`    // which is hashed as the algorithm demands
	NeedsPIN bool   `json:"needs_pin,omitempty"`
	LastTry  bool   `json:"last_try,omitempty"` // the last try of the PIN may be spent
	Touch    string `json:"touch,omitempty"`    // the policy, as enrolled
}

// SignReply is the signature: ASN.1 DER for ECDSA, PKCS #1 v1.5 for RSA, 64 bytes for
// Ed25519.
type SignReply struct {
	Signature []byte `json:"signature"`
}

// CreateRequest makes a FIDO2 credential.
type CreateRequest struct {
	Common
	Port       string   `json:"port,omitempty"` // empty: the one key that there is
	RPID       string   `json:"rp_id"`
	UserID     []byte   `json:"user_id"` // random, of at most 64 bytes; no name goes to the key
	ClientHash []byte   `json:"client_data_hash"`
	Exclude    [][]byte `json:"exclude,omitempty"`
	Resident   bool     `json:"resident,omitempty"`
	UV         bool     `json:"uv,omitempty"`        // the key has to know the person, by itself
	NeedsPIN   bool     `json:"needs_pin,omitempty"` // or by a PIN
	LastTry    bool     `json:"last_try,omitempty"`  // the last try of the PIN may be spent
}

// CreateReply is a fresh credential, in the form of WebAuthn.
type CreateReply struct {
	Port      string   `json:"port"`
	Serial    uint32   `json:"serial,omitempty"`
	AuthData  []byte   `json:"auth_data"`
	Format    string   `json:"fmt"`
	Signature []byte   `json:"sig,omitempty"` // of packed attestation
	Alg       int      `json:"alg,omitempty"`
	Chain     [][]byte `json:"x5c,omitempty"`
}

// AssertRequest asks for an assertion by one of several credentials, whichever key has
// it.
type AssertRequest struct {
	Common
	RPID        string       `json:"rp_id"`
	ClientHash  []byte       `json:"client_data_hash"` // 32 bytes
	Credentials []Credential `json:"credentials"`
	UP          bool         `json:"up"` // a touch is demanded
	UV          bool         `json:"uv,omitempty"`
	NeedsPIN    bool         `json:"needs_pin,omitempty"`
	LastTry     bool         `json:"last_try,omitempty"` // the last try of the PIN may be spent
	// Find: the credential is only looked for, silently. The reply says which it is, or
	// none if the key may have several and does not tell; and Tries.
	Find bool `json:"find,omitempty"`
}

// Credential is one that was enrolled.
type Credential struct {
	ID []byte `json:"id"`
	// Public is the public key, a COSE_Key: a device that claims the credential has to show
	// that it is its, before it is shown a PIN.
	Public []byte `json:"public_key"`
	// AppID: it is one of U2F, made for this application; else empty.
	AppID string `json:"app_id,omitempty"`
	// Protected: its key may hide it from who shows neither PIN nor finger (credProtect
	// level 3). Then the PIN is shown to a key of which that is not sure.
	Protected bool `json:"protected,omitempty"`
}

// AssertReply is an assertion.
type AssertReply struct {
	Credential []byte `json:"credential"`
	AuthData   []byte `json:"auth_data"`
	Signature  []byte `json:"signature"`
	Port       string `json:"port"`
	// Tries of the PIN that are left, if Find was asked; -1: unknown, or there is no PIN.
	Tries int `json:"tries"`
}
