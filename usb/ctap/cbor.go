package ctap

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Commands of CTAP2 (6).
const (
	makeCredential   = 0x01
	getAssertion     = 0x02
	getInfo          = 0x04
	clientPIN        = 0x06
	getNextAssertion = 0x08
)

// strict reads CTAP2's canonical CBOR: no doubled keys, no indefinite lengths, no tags,
// four levels at most (8). Real answers have some dozens of elements.
func strict() (cbor.DecMode, error) {
	return cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxNestedLevels: 4, MaxArrayElements: 128, MaxMapPairs: 128,
	}.DecMode()
}

// marshal writes a command. Nil: it has no parameters.
func marshal(cmd byte, params any) ([]byte, error) {
	if params == nil {
		return []byte{cmd}, nil
	}
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	b, err := mode.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("writing a request: %v", err)
	}
	defer clear(b)
	return append([]byte{cmd}, b...), nil
}

// unmarshal reads an answer: a status code, and CBOR after that of success.
func unmarshal(answer []byte, reply any) error {
	if len(answer) == 0 {
		return fmt.Errorf("%w: it is empty", ErrMalformed)
	}
	status, rest := answer[0], answer[1:]
	if err := statusError(status); err != nil {
		return err
	}
	mode, err := strict()
	if err != nil {
		return err
	}
	// Into a struct goes only what it knows; the rest is to be well-formed as well.
	var all map[int]any
	if err = mode.Unmarshal(rest, &all); err == nil {
		err = mode.Unmarshal(rest, reply)
	}
	if err != nil {
		return fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	return nil
}
