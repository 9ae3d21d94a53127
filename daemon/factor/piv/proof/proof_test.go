package proof

import "testing"

func TestSlot(t *testing.T) {
	for _, s := range Slots() {
		if got, err := ParseSlot(s.String()); err != nil || got != s {
			t.Errorf("%v is read as %v, %v", s, got, err)
		}
	}
	for _, text := range []string{"", "9A", "9b", "f9", "82", "0x9a", " 9a", "9a "} {
		if got, err := ParseSlot(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestPolicyWords(t *testing.T) {
	if PINAlways.String() != "always" || TouchCached.String() != "cached" ||
		PINPolicy(0).String() != "unknown" || TouchPolicy(9).String() != "unknown" {
		t.Error("policies have other words")
	}
}

func TestFitPIN(t *testing.T) {
	for pin, fits := range map[string]bool{"": false, "12345": false, "123456": true, "12345678": true, "123456789": false,
		"abc-DE": true, "123456\xff": false} {
		if (FitPIN([]byte(pin)) == nil) != fits {
			t.Errorf("%q fits: %v", pin, !fits)
		}
	}
}
