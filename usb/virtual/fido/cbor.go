package fido

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// status is a status code of CTAP2 (8.2).
type status byte

const (
	statusInvalidCommand     status = 0x01
	statusInvalidParameter   status = 0x02
	statusUnexpectedType     status = 0x11
	statusInvalidCBOR        status = 0x12
	statusMissingParameter   status = 0x14
	statusExcluded           status = 0x19
	statusUnsupportedAlg     status = 0x26
	statusOperationDenied    status = 0x27
	statusUnsupportedOption  status = 0x2b
	statusInvalidOption      status = 0x2c
	statusKeepaliveCancel    status = 0x2d
	statusNoCredentials      status = 0x2e
	statusUserActionTimeout  status = 0x2f
	statusNotAllowed         status = 0x30
	statusPINInvalid         status = 0x31
	statusPINBlocked         status = 0x32
	statusPINAuthInvalid     status = 0x33
	statusPINAuthBlocked     status = 0x34
	statusPINNotSet          status = 0x35
	statusPUATRequired       status = 0x36
	statusPINPolicyViolation status = 0x37
	statusRequestTooLarge    status = 0x39
	statusUVBlocked          status = 0x3c
	statusInvalidSubcommand  status = 0x3e
	statusUVInvalid          status = 0x3f
	statusUnauthorized       status = 0x40
	statusOther              status = 0x7f
)

func (s status) Error() string { return fmt.Sprintf("status 0x%02x", byte(s)) }

// Commands of CTAP2 (6).
const (
	cmdMakeCredential   = 0x01
	cmdGetAssertion     = 0x02
	cmdGetInfo          = 0x04
	cmdClientPIN        = 0x06
	cmdReset            = 0x07
	cmdGetNextAssertion = 0x08
	cmdSelection        = 0x0b
)

// cbor does a CTAP2 command.
func (t *transaction) cbor(request []byte) []byte {
	if len(request) > t.maxMsgSize() {
		return []byte{byte(statusRequestTooLarge)}
	}
	if request[0] != cmdGetNextAssertion {
		t.rest = remaining{}
	}
	reply, err := t.command(request[0], request[1:])
	var s status
	if errors.As(err, &s) {
		return []byte{byte(s)}
	}
	if err != nil {
		return []byte{byte(statusOther)}
	}
	if reply == nil {
		return []byte{0}
	}
	return append([]byte{0}, encode(reply)...)
}

func (t *transaction) command(cmd byte, params []byte) (any, error) {
	switch cmd {
	case cmdMakeCredential:
		return call(params, t.makeCredential)
	case cmdGetAssertion:
		return call(params, t.getAssertion)
	case cmdClientPIN:
		return call(params, t.clientPIN)
	case cmdGetInfo:
		return t.info(), nil
	case cmdGetNextAssertion:
		return t.getNextAssertion()
	case cmdReset:
		return nil, t.reset()
	case cmdSelection:
		return nil, t.touch()
	}
	return nil, statusInvalidCommand
}

func (t *transaction) maxMsgSize() int {
	if t.MaxMsgSize == 0 {
		return 1200
	}
	return t.MaxMsgSize
}

// call reads the parameters of a command. They must be CTAP2 canonical CBOR (8), and
// nothing else: a key may insist on it, so this one does.
func call[T any](params []byte, do func(T) (any, error)) (any, error) {
	decoder, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden, MaxNestedLevels: 4,
	}.DecMode()
	if err != nil {
		return nil, err
	}
	var whole any
	if err := decoder.Unmarshal(params, &whole); err != nil || !bytes.Equal(encode(whole), params) {
		return nil, statusInvalidCBOR
	}
	var v T
	if err := decoder.Unmarshal(params, &v); err != nil {
		return nil, statusUnexpectedType
	}
	return do(v)
}

func encode(v any) []byte {
	encoder, err := cbor.CTAP2EncOptions().EncMode()
	if err == nil {
		var b []byte
		if b, err = encoder.Marshal(v); err == nil {
			return b
		}
	}
	panic(err) // all that is encoded here can be
}

// reset forgets everything (6.6).
func (t *transaction) reset() error {
	if err := t.touch(); err != nil {
		return err
	}
	k := t.key
	k.credentials, k.pinHash, k.pinRetries, k.uvRetries, k.count = nil, nil, maxPINRetries, maxUVRetries, 0
	t.pin = newPINSession()
	return nil
}
