package main

import "github.com/factord/factord/daemon/factordtest/duosim"

// faultTexts say of each fault what goes wrong, with its argument.
func faultTexts() map[duosim.Fault]string {
	return map[duosim.Fault]string{
		duosim.Blackhole:      "connects, and never says a byte",
		duosim.TLSSilence:     "never answers, once TLS stands",
		duosim.Refused:        "nobody listens",
		duosim.Slow:           "=DURATION (2s): every answer comes so late",
		duosim.ExpiredCert:    "the certificate has expired",
		duosim.WrongNameCert:  "the certificate is another host's",
		duosim.SelfSigned:     "the certificate is nobody's that is trusted",
		duosim.Code:           "=NUMBER (40301, say): an error of Duo's, with its HTTP status",
		duosim.ServerError:    "HTTP 500",
		duosim.BadGateway:     "HTTP 502, in HTML",
		duosim.RateLimit:      "=SECONDS: too many requests, Retry-After in seconds",
		duosim.RateLimitDate:  "=SECONDS: the same, Retry-After as a date",
		duosim.RateLimitX:     "=SECONDS: the same, with X-Retry-After",
		duosim.WrongSignature: "401: the secret key is not accepted",
		duosim.WrongIKey:      "401: the integration key is not known",
		duosim.Garbage:        "bytes that are no JSON",
		duosim.HTML:           "a web page with status 200, as of a captive portal",
		duosim.HugeBody:       "=BYTES (64 MiB): an answer without end",
		duosim.NeverFinal:     "=DURATION (100ms): a push is never decided",
		duosim.Truncated:      "half the body, then nothing",
		duosim.HalfResponse:   "half a status line, then nothing",
		duosim.Escapes:        "terminal escape sequences in every text",
		duosim.CodeString:     "the error's code is a text",
		duosim.CodeEmpty:      "the error's code is empty",
		duosim.UnknownFields:  "unknown fields everywhere",
		duosim.UnknownResult:  "a result that is not documented",
		duosim.UnknownStatus:  "a status that is not documented",
		duosim.ClockSkew:      "=DURATION (-312s, say): Duo's clock is off by so much",
	}
}
