package session

import (
	"errors"
	"slices"
	"syscall"

	"github.com/factord/factord/daemon/wire"
)

// state is what a connection may hear next.
type state uint8

const (
	// stateIdle: nothing asked yet.
	stateIdle state = iota
	// stateInquiring: factord has asked and waits for the answer.
	stateInquiring
	// stateJudged: the one verdict of the connection has been given.
	stateJudged
)

// permitted lists the verbs that are legal in each state. Anything else ends
// the connection.
var permitted = [...][]string{
	stateIdle: {wire.VerbAuth, wire.VerbNop, wire.VerbReset, wire.VerbBye,
		wire.VerbStatus, wire.VerbList, wire.VerbEnroll, wire.VerbRemove, wire.VerbUnlock,
		wire.VerbBypass, wire.VerbInvite, wire.VerbForget, wire.VerbResync, wire.VerbImport, wire.VerbExplain, wire.VerbAudit, wire.VerbKeys},
	stateInquiring: {wire.VerbData, wire.VerbEnd, wire.VerbCancel, wire.VerbCancel2},
	stateJudged:    {wire.VerbNop, wire.VerbReset, wire.VerbBye},
}

func legal(s state, verb string) bool { return slices.Contains(permitted[s], verb) }

// isReset reports whether err is a connection that broke.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
