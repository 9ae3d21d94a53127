// Package key is what the factors have in common that ask a key which is plugged into
// this machine: touch, hmac, piv, fido2. They know users and records; who holds the
// key, and whose turn it is, is the device's to know.
package key

import (
	"context"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/wire/agent"
)

// Device puts operations to keys, one after the other for each key.
type Device interface {
	// Do waits for its turn and does the job. An operation without evidence is an
	// *agent.Error; if nobody can be asked at all it is a *factor.Outage. It ends with
	// its context, and everything behind it does.
	Do(ctx context.Context, j Job) error
}

// Job is one operation that is put to a key.
type Job struct {
	Verb string // agent.Capture, agent.Sign, …
	// Queue names the key: operations with the same name are done one after the other,
	// in the order in which they came. Empty: nobody else is waited for.
	Queue string
	// Also names other keys that may do as well: the job's turn comes when it has come at
	// all of them.
	Also []string
	// User is whose login or enrolment it is; nobody has many jobs under way at once. Empty
	// is root's.
	User string
	// For says what it is for, to others who wait for the same key: "sudo".
	For string
	// Wait is how long a key that is not there is waited for, and a touch; 0: as long as
	// the context lasts. Less than 0: not at all.
	Wait time.Duration
	// Request and Reply are pointers to the verb's types in package agent. The device
	// fills in Common.
	Request, Reply any
	// PIN is given if the operation inquires for it. The caller wipes it.
	PIN factor.Secret
	// Say is told how things stand; it returns at once, and may be nil.
	Say func(Progress)
}

// Progress is how a job stands.
type Progress struct {
	// State is empty while the job waits for its turn.
	State agent.State
	// Ahead is for what the key is used before this job, empty if it is its turn.
	Ahead string
	// Behind is for what the next one waits for the key, if anything.
	Behind string
}
