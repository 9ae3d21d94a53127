package pam_test

import (
	"time"

	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
)

// noNetwork is a machine without a network, not even a loopback.
var noNetwork = []string{"unshare", "--net"}

// duoFault is a way in which Duo is not there, or not well, and what comes of it.
type duoFault struct {
	name     string
	fault    duosim.Fault
	endpoint string // "": all
	times    int    // 0: forever
	prepare  func(*duosim.Server)
	wrap     []string
	host     string // instead of the simulator's
	more     string // instead of shortPatience

	debian debianEnd
	reason wire.Reason // of factord; ReasonNone: lets in, since a factor was proven
	outage bool        // what a rule with unavailable = "allow" lets in
	log    string      // what is in factord's log
}

// debianEnd is what login_duo 1.11.3 does, with failmode = safe, its default, and
// with secure.
type debianEnd struct {
	safe, secure bool // it lets in
	hangs        bool // neither, ever
	slow         bool // takes more than five seconds
}

var (
	failmodes = debianEnd{safe: true}
	denies    = debianEnd{}
	unaware   = debianEnd{safe: true, secure: true}
)

// shortPatience keeps the test short. The times of the shipped configuration are
// in TestDuoBlackHole.
const (
	shortPatience = "preauth_timeout = \"1s\"\ndeadline = \"2s\"\n"
	shortDeadline = 2 * time.Second
)

var duoFaults = []duoFault{
	{name: "refused connection", fault: duosim.Refused, debian: failmodes, reason: wire.ReasonUnavailable, outage: true, log: "connection refused"},
	{name: "no route", wrap: noNetwork, host: "192.0.2.77:443", debian: debianEnd{safe: true, slow: true}, reason: wire.ReasonUnavailable, outage: true, log: "unreachable"},
	{name: "no such name", wrap: noNetwork, host: "duo.invalid:443", debian: failmodes, reason: wire.ReasonUnavailable, outage: true, log: "no connection"},
	{name: "black hole", fault: duosim.Blackhole, debian: debianEnd{safe: true, slow: true}, reason: wire.ReasonUnavailable, outage: true, log: "no connection"},
	{name: "TLS that never answers", fault: duosim.TLSSilence, debian: debianEnd{hangs: true}, reason: wire.ReasonUnavailable, log: "no answer in time"},
	{name: "expired certificate", fault: duosim.ExpiredCert, debian: failmodes, reason: wire.ReasonUnavailable, log: "expired"},
	{name: "certificate of another name", fault: duosim.WrongNameCert, debian: failmodes, reason: wire.ReasonUnavailable, log: "not trusted"},
	{name: "self-signed certificate", fault: duosim.SelfSigned, debian: failmodes, reason: wire.ReasonUnavailable, log: "not trusted"},
	{name: "500", fault: duosim.ServerError, debian: failmodes, reason: wire.ReasonUnavailable, outage: true, log: "HTTP 500"},
	{name: "502 in HTML", fault: duosim.BadGateway, debian: failmodes, reason: wire.ReasonUnavailable, outage: true, log: "HTTP 502"},
	{name: "503", fault: "code=50301", debian: failmodes, reason: wire.ReasonUnavailable, outage: true, log: "HTTP 503"},
	{name: "400", fault: "code=40002", debian: denies, reason: wire.ReasonUnavailable, log: "40002"},
	{name: "403", fault: "code=40301", debian: denies, reason: wire.ReasonUnavailable, log: "40301"},
	{name: "404", fault: "code=40401", debian: denies, reason: wire.ReasonUnavailable, log: "40401"},
	{name: "429 forever", fault: duosim.RateLimit, debian: denies, reason: wire.ReasonUnavailable, log: "too many requests"},
	{name: "429 once, Retry-After: 1", fault: "429=1", times: 1, more: "preauth_timeout = \"3s\"\ndeadline = \"4s\"\n", debian: denies},
	{name: "429, Retry-After: 600", fault: "429=600", debian: denies, reason: wire.ReasonUnavailable, log: "10m0s"},
	{name: "401 after a rotated key", prepare: func(s *duosim.Server) { s.RotateKey() }, debian: failmodes, reason: wire.ReasonUnavailable, log: "40103"},
	{name: "401, no such integration", fault: duosim.WrongIKey, debian: failmodes, reason: wire.ReasonUnavailable, log: "40102"},
	{name: "HTML instead of JSON", fault: duosim.HTML, debian: failmodes, reason: wire.ReasonUnavailable, log: "makes no sense"},
	{name: "garbage", fault: duosim.Garbage, debian: failmodes, reason: wire.ReasonUnavailable, log: "makes no sense"},
	{name: "half a body", fault: duosim.Truncated, debian: failmodes, reason: wire.ReasonUnavailable},
	{name: "half a response", fault: duosim.HalfResponse, debian: failmodes, reason: wire.ReasonUnavailable},
	{name: "a body without an end", fault: duosim.HugeBody, debian: failmodes, reason: wire.ReasonUnavailable, log: "makes no sense"},
	{name: "an unknown result", fault: duosim.UnknownResult, debian: failmodes, reason: wire.ReasonUnavailable, log: "makes no sense"},
	// The old API signs no date.
	{name: "this clock is 312 s ahead", fault: "clock-skew=-312s", debian: unaware, reason: wire.ReasonUnavailable, log: "duo: this clock is 312 s ahead"},
	// Whoever finds out is refused; the next one finds a Duo that is known to be down.
	{name: "500 at the push", fault: duosim.ServerError, endpoint: "auth", debian: denies, reason: wire.ReasonUnavailable, log: "HTTP 500"},
	{name: "429 at the push", fault: duosim.RateLimit, endpoint: "auth", debian: denies, reason: wire.ReasonUnavailable, log: "too many requests"},
	{name: "silence at the push", fault: duosim.TLSSilence, endpoint: "auth", debian: debianEnd{hangs: true}, reason: wire.ReasonUnavailable},
	// login_duo without a terminal asks once and waits.
	{name: "silence in the wait", fault: duosim.TLSSilence, endpoint: "auth_status", debian: unaware, reason: wire.ReasonTimeout},
	{name: "no decision, ever", fault: duosim.NeverFinal, endpoint: "auth_status", debian: unaware, reason: wire.ReasonTimeout},
}
