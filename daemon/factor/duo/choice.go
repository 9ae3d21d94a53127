package duo

import (
	"strings"
	"unicode"

	"github.com/factord/factord/daemon/factor/duo/authapi"
)

// choice is something to be done without typing a code.
type choice struct {
	method authapi.Method
	id     string // of the device
	device string // as people are shown it
}

// choicesOf lists what can be done, the quickest first.
func choicesOf(devices []authapi.Device) (all []choice) {
	for _, m := range []authapi.Method{authapi.Push, authapi.Phone, authapi.SMS} {
		for _, d := range devices {
			if d.ID != "" && d.Can(string(m)) {
				all = append(all, choice{method: m, id: d.ID, device: deviceName(d)})
			}
		}
	}
	return all
}

func deviceName(d authapi.Device) string {
	for _, text := range []string{d.DisplayName, d.Name, d.Number, d.Type} {
		if text = plain(text); text != "" {
			return text
		}
	}
	return "your phone"
}

// String is the choice in a list.
func (c choice) String() string {
	switch c.method {
	case authapi.Phone:
		return "call " + c.device
	case authapi.SMS:
		return "passcodes by SMS to " + c.device
	}
	return "push to " + c.device
}

// enter is the choice in the prompt.
func (c choice) enter() string {
	switch c.method {
	case authapi.Phone:
		return "a call"
	case authapi.SMS:
		return "passcodes by SMS"
	}
	return "a push"
}

// cue says what to do when it rings. The device is not named to whom nothing has
// been proven by.
func (c choice) cue(code string, discreet bool) string {
	device := c.device
	if discreet {
		device = "your phone"
	}
	switch {
	case c.method == authapi.Phone:
		return "Calling " + device + ": answer and press a key"
	case code != "":
		return "Enter " + code + " in Duo Mobile on " + device
	}
	return "Push sent to " + device + ": approve it"
}

// unanswered says what a timeout was.
func (c choice) unanswered() string {
	if c.method == authapi.Phone {
		return "nobody answered the call"
	}
	return "nobody answered the push"
}

// denied says what a person's no was to.
func (c choice) denied() string {
	if c.method == authapi.Phone {
		return "the call was denied"
	}
	return "the push was denied"
}

// maxText bounds what is shown of a text of Duo's, in characters.
const maxText = 200

// plain takes from a text that comes from outside what could steer a terminal.
func plain(s string) string { return shortened(s, maxText) }

// shortened is plain up to n characters.
func shortened(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsSpace(r) {
			r = ' '
		}
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			continue
		}
		if n--; n < 0 {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
