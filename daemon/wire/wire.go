// Package wire is the language between factord and its clients: Assuan, the
// line protocol of GnuPG's agents, with the few words that factord adds.
//
// It exists apart from the daemon so that the setuid-adjacent clients can share
// the parser without inheriting anything else: it imports the standard library
// only, and of that neither net nor fmt, because factor-helper starts once per
// login and its start-up time is part of every sudo.
//
// Both sides parse completely or refuse. A line that is too long, a percent
// escape that does not decode, a key that is unknown or given twice, a control
// character in a value: each ends the conversation, and a conversation that
// ends without a verdict is a refusal.
package wire

import "errors"

// Limits of the wire. Sizes are in bytes.
const (
	// MaxLine is the longest line, without its end (Assuan's limit).
	MaxLine = 1000
	// MaxInquiry is the largest decoded answer to an inquiry; sshd's
	// SSH_AUTH_INFO_0 is the only one that comes near it.
	MaxInquiry = 16 << 10
	// MaxInquiryLines is the number of D lines an answer may be spread over.
	MaxInquiryLines = 64
	// MaxAnswer is the longest answer a person gives to a prompt.
	MaxAnswer = 512
	// MaxReply is the largest decoded data reply of a management verb.
	MaxReply = 64 << 20
)

// Greeting is factord's first line; the number is the version of the wire.
const Greeting = "OK factord 1"

// StatusEnrolling is the one status line beside INFO and VERDICT. It says that a
// person is about to set up their first factor in the login, so that the client has
// to wait longer for the verdict: 30 seconds more than for any other. It comes at
// most once in a connection, after AUTH and before the first question; an INQUIRE of
// AUTHINFO is none. Anywhere else it is a refusal, as any other line out of place.
const StatusEnrolling = "S ENROLLING"

// Errors of the wire. All of them mean refusal.
var (
	ErrLineTooLong = errors.New("line is longer than 1000 bytes")
	ErrEscape      = errors.New("undecodable percent escape")
	ErrControl     = errors.New("control character in a value")
	ErrEncoding    = errors.New("value is not UTF-8")
	ErrTooLong     = errors.New("answer is too long")
	ErrGrammar     = errors.New("line is out of place")
	ErrCancelled   = errors.New("inquiry was cancelled")
	ErrKey         = errors.New("unknown, repeated or malformed key")
)

// Verbs of the wire. A session's state table says which is legal when.
const (
	VerbAuth    = "AUTH"
	VerbBye     = "BYE"
	VerbNop     = "NOP"
	VerbReset   = "RESET"
	VerbData    = "D"
	VerbEnd     = "END"
	VerbCancel  = "CAN"
	VerbCancel2 = "CANCEL" // what gpg-connect-agent says for CAN
	VerbEnroll  = "ENROLL"
	VerbList    = "LIST"
	VerbRemove  = "REMOVE"
	VerbUnlock  = "UNLOCK"
	VerbBypass  = "BYPASS"
	VerbInvite  = "INVITE"
	VerbExplain = "EXPLAIN"
	VerbStatus  = "STATUS"
	VerbAudit   = "AUDIT"
	VerbForget  = "FORGET"
	VerbResync  = "RESYNC"
	VerbImport  = "IMPORT"
	VerbKeys    = "KEYS"
)

// Kinds of inquiry.
const (
	// Prompt asks with echo.
	Prompt = "PROMPT"
	// Secret asks without echo.
	Secret = "SECRET"
	// AuthInfo asks the client for sshd's SSH_AUTH_INFO_0.
	AuthInfo = "AUTHINFO"
	// Seed asks for a token's secret at enrolment.
	Seed = "SEED"
)
