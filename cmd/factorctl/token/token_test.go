package token

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

const uri = "otpauth://totp/factord%20demo:alice?algorithm=SHA1&digits=6&issuer=factord%20demo&period=30&secret=D3OA4B7OGCLXRQYLKKATSZZ2QJREU6JJ"

func TestShowNarrow(t *testing.T) {
	var out bytes.Buffer
	if err := (Shown{Factor: "totp", URI: uri}).Show(&out, "alice", 40); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.Contains(s, "this terminal has 40") || strings.Contains(s, "\x1b") || !strings.Contains(s, "Secret: D3OA 4B7O ") {
		t.Errorf("%s", s)
	}
}

func TestShowHidesControls(t *testing.T) {
	var out bytes.Buffer
	Shown{Factor: "totp\x1b[2J", URI: "otpauth://x\x07", Codes: []string{"a\x9bb"}}.Show(&out, "alice", 0)
	if s := out.String(); strings.ContainsAny(s, "\x1b\x07") || !utf8.ValidString(s) {
		t.Errorf("%q", s)
	}
}

func TestShowActivation(t *testing.T) {
	var out bytes.Buffer
	shown := Shown{Factor: "duo", Activation: "duo://abcdefghij-QVBJLmV4YW1wbGUuY29t", Link: "https://api.example.com/frame/qr?value=x\x1b[2J"}
	if err := shown.Show(&out, "alice", 80); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.Contains(s, "Duo Mobile") || !strings.Contains(s, "▄") || !strings.Contains(s, "picture: https://api.example.com/frame/qr?value=x") || strings.Contains(s, "\x1b[2J") {
		t.Errorf("%s", s)
	}
	out.Reset()
	shown.Show(&out, "alice", 20)
	if s := out.String(); !strings.Contains(s, "open the link on the phone") {
		t.Errorf("%s", s)
	}
}

// An account that is there already goes on at Duo's own pages.
func TestShowLink(t *testing.T) {
	var out strings.Builder
	if err := (Shown{Factor: "duo", Link: "https://api.example.com/portal?x\x1b[2J"}).Show(&out, "alice", 80); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "Set it up at:\nhttps://api.example.com/portal?x?[2J\n") || strings.Contains(got, "QR") {
		t.Errorf("%q", got)
	}
}

// What there is to know of a key is a line, without what would move the terminal's cursor.
func TestShowAbout(t *testing.T) {
	var out strings.Builder
	if err := (Shown{Factor: "piv", About: "YubiKey 7; asks for PIN\x1b[2J"}).Show(&out, "you", 80); err != nil || strings.Contains(out.String(), "\x1b") || !strings.HasPrefix(out.String(), "YubiKey 7; asks for PIN") || !strings.HasSuffix(out.String(), ".\n") {
		t.Errorf("%q, %v", out.String(), err)
	}
}
