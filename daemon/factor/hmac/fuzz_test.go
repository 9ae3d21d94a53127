package hmac

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
)

// FuzzSecret: a secret is taken whole or not at all, and an error never has it.
func FuzzSecret(f *testing.F) {
	f.Add("303132333435363738393a3b3c3d3e3f40414243")
	f.Add("v2:00:11:22:10000:2")
	f.Add("30313233")
	f.Fuzz(func(t *testing.T, text string) {
		var s slot
		err := s.parseSecret(factor.Secret(text))
		if err == nil && hex.EncodeToString(s.Secret) != strings.ToLower(strings.TrimSpace(text)) {
			t.Errorf("%q became %x", text, []byte(s.Secret))
		}
		if err != nil && len(text) > 8 && strings.Contains(err.Error(), text) {
			t.Errorf("the error has the secret: %v", err)
		}
	})
}

// The vector of NIST's HMAC examples, as YubiKeys are tested with.
func TestVector(t *testing.T) {
	var s slot
	if err := s.parseSecret(factor.Secret("303132333435363738393a3b3c3d3e3f40414243\n")); err != nil {
		t.Fatal(err)
	}
	answer, _ := hex.DecodeString("0922d3405faa3d194f82a45830737d5cc6c75d24")
	if !s.answers([]byte("Sample #2"), answer) {
		t.Error("the answer is not taken")
	}
	if answer[19] ^= 1; s.answers([]byte("Sample #2"), answer) || s.answers([]byte("Sample #2"), nil) {
		t.Error("another answer is taken")
	}
}
