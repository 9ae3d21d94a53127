package ykval

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
)

// sign is the signature of a request or an answer: HMAC-SHA1 over "key=value" of all
// parameters but the signature itself, in the order of their keys, with "&" between
// them and nothing escaped.
func sign(apiKey []byte, params map[string]string) []byte {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(params)) {
		if key == "h" {
			continue
		}
		if text.Len() > 0 {
			text.WriteByte('&')
		}
		text.WriteString(key + "=" + params[key])
	}
	mac := hmac.New(sha1.New, apiKey)
	mac.Write([]byte(text.String()))
	return mac.Sum(nil)
}

// signed reports whether an answer is signed with our key. Without one nothing is:
// what is signed with no key anybody can have signed.
func signed(apiKey []byte, params map[string]string) bool {
	h, err := base64.StdEncoding.DecodeString(params["h"])
	return err == nil && len(apiKey) > 0 && hmac.Equal(h, sign(apiKey, params))
}
