package duo

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
)

func TestPasscodeForms(t *testing.T) {
	yubikey := "cccccc" + strings.Repeat("bdefghijklnrtuvc", 2) + "cbdefg"
	for answer, want := range map[string]string{
		"123456": "123456 guess", "12 34 56": "123456 guess", "12345678": "12345678 guess", "123456789": "123456789", "1234567890123456": "1234567890123456",
		yubikey: yubikey, strings.ToUpper(yubikey): yubikey,
		"": "", "12345": "", "12345678901234567": "", "123456x": "", "push": "", yubikey[1:]: "", yubikey[1:] + "a": "", "abcd-efgh-ijkl": "", "１２３４５６": "",
	} {
		code, guess, ok := passcodeIn(factor.Secret(answer))
		got := string(code)
		if guess {
			got += " guess"
		}
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", answer, got, ok, want)
		}
	}
}

func TestShortened(t *testing.T) {
	for in, want := range map[string]string{
		"id -u": "id -u", "\x1b]0;x\x07a\r\nb": "]0;xa  b", "a\u202eb\u200bc": "abc", "\xff\xfea": "a", "ééééééééééé": "éééééééééé", "": "",
	} {
		if got := shortened(in, 10); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// A note that is not understood is not one of a user who was never asked.
func TestDamagedNote(t *testing.T) {
	for _, text := range []string{"x", "{}", `{"v":2}`, `{"v":1,"more":1}`, `{"v":1}{"v":1}`, `{"v":1}` + strings.Repeat(" ", factor.MaxRecord)} {
		if _, err := readNote([]byte(text)); err == nil {
			t.Errorf("%.20q is read", text)
		}
	}
	if n, err := readNote(nil); err != nil || n.held(time.Now()) != nil {
		t.Errorf("no note: %v", err)
	}
}

// The largest note can be read again.
func TestLargestNote(t *testing.T) {
	n := &note{Version: noteVersion, Pending: &pending{ID: strings.Repeat("A", 26), At: time.Now()}, Denied: time.Now(), Fraud: true}
	for range 2 * maxOpen {
		n.unheard(open{TxID: strings.Repeat("A", maxTxID), ID: strings.Repeat("A", 26), At: time.Now()})
	}
	for range 3 * maxUnanswered {
		n.Unanswered = append(n.Unanswered, time.Now())
	}
	value, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := readNote(value); err != nil || !again.Fraud {
		t.Errorf("%d bytes: %v, %+v", len(value), err, again)
	}
}
