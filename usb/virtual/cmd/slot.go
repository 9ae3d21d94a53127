package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/factord/factord/usb/virtual/otpkey"
)

// unhex reads bytes; of a size unless that is 0.
func unhex(text string, size int) ([]byte, error) {
	b, err := hex.DecodeString(text)
	if err == nil && size > 0 && len(b) != size {
		err = fmt.Errorf("%d bytes are wanted, not %d", size, len(b))
	}
	return b, err
}

// parseSlot reads KIND:VALUE[:VALUE]...[,OPTION]...
func parseSlot(text string) (otpkey.Slot, error) {
	var s otpkey.Slot
	words := strings.Split(text, ",")
	kind, rest, _ := strings.Cut(words[0], ":")
	values := strings.Split(rest, ":")
	limits := map[string][2]int{"yubico": {3, 4}, "hotp": {1, 3}, "static": {1, 1}, "hmac": {1, 1}, "challenge": {2, 2}}
	limit, known := limits[kind]
	switch {
	case !known:
		return s, fmt.Errorf("%q is no kind of slot", kind)
	case len(values) < limit[0] || len(values) > limit[1]:
		return s, fmt.Errorf("%d values are too many or too few for %q", len(values), kind)
	}
	values = append(values, make([]string, limit[1]-len(values))...)
	err := fill(&s, kind, values)
	for _, word := range words[1:] {
		if err != nil {
			break
		}
		name, value, _ := strings.Cut(word, "=")
		err = option(&s, name, value)
	}
	return s, err
}

// fill makes a slot of as many values as its kind has, the last ones perhaps empty.
func fill(s *otpkey.Slot, kind string, values []string) error {
	switch kind {
	case "yubico":
		private, err1 := unhex(values[1], 6)
		aes, err2 := unhex(values[2], 16)
		use, err3 := number(values[3])
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		s.Types = &otpkey.Yubico{PublicID: values[0], PrivateID: [6]byte(private), AESKey: [16]byte(aes), Use: uint16(use)}
	case "hotp":
		secret, err1 := unhex(values[0], 0)
		counter, err2 := number(values[2])
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		s.Types = &otpkey.HOTP{Secret: secret, ID: values[1], Counter: counter, Digits: 6}
	case "static":
		s.Types = otpkey.Static(values[0])
	case "hmac":
		secret, err := unhex(values[0], 20)
		if err != nil {
			return err
		}
		s.Answers = otpkey.HMAC{Secret: [20]byte(secret)}
	case "challenge":
		private, err1 := unhex(values[0], 6)
		aes, err2 := unhex(values[1], 16)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		s.Answers = otpkey.Challenge{PrivateID: [6]byte(private), AESKey: [16]byte(aes)}
	}
	return nil
}

// number reads a count that may be left out.
func number(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	return strconv.ParseUint(text, 10, 64)
}

func option(s *otpkey.Slot, name, value string) (err error) {
	hmac, isHMAC := s.Answers.(otpkey.HMAC)
	hotp, isHOTP := s.Types.(*otpkey.HOTP)
	switch {
	case name == "touch" && s.Answers != nil:
		s.Touch = true
	case name == "lt64" && isHMAC:
		hmac.LT64 = true
		s.Answers = hmac
	case name == "digits" && isHOTP:
		hotp.Digits, err = strconv.Atoi(value)
		if err == nil && hotp.Digits != 6 && hotp.Digits != 8 {
			err = fmt.Errorf("a code has 6 or 8 digits")
		}
	case s.Types == nil:
		return fmt.Errorf("such a slot has no option %q", name)
	default:
		return output(&s.Output, name, value)
	}
	return err
}

func output(o *otpkey.Output, name, value string) (err error) {
	switch name {
	case "no-enter":
		o.NoReturn = true
	case "tab-first":
		o.TabFirst = true
	case "tab-id":
		o.TabID = true
	case "tab-code":
		o.TabCode = true
	case "delay-id":
		o.DelayID = true
	case "delay-end":
		o.DelayEnd = true
	case "keypad":
		o.Keypad = true
	case "pace":
		o.Pace, err = time.ParseDuration(value)
	default:
		err = fmt.Errorf("no option %q", name)
	}
	return err
}
