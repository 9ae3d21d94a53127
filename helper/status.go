package helper

import (
	"errors"

	"github.com/factord/factord/daemon/wire"
)

// usageError is a fault in how the program was called.
type usageError string

func (e usageError) Error() string {
	return string(e) + "\nhint: factor-helper --help shows how it is called"
}

// Ends of an attempt that are no verdict.
var (
	errCancelled = errors.New("cancelled")
	errSignal    = errors.New("ended by a signal")
	errParent    = errors.New("the calling program has ended")
	errClient    = errors.New("the client has gone")
	errDeadline  = errors.New("no verdict in time")
	errSilent    = errors.New("factord does not answer\nhint: its socket is there, so look why it does not start: journalctl -u factord")
	errAuthtok   = errors.New("the value from expose_authtok is longer than 512 bytes")
)

// status is the exit status of a run that ended with v and err.
func status(v wire.Verdict, err error) int {
	var usage usageError
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, errCancelled), errors.Is(err, errSignal),
		errors.Is(err, errParent), errors.Is(err, errClient), errors.Is(err, errAuthtok):
		return exitDeny
	case err != nil:
		return exitUnavailable
	case v.Allow:
		return exitAllow
	case v.Reason == wire.ReasonUnavailable:
		return exitUnavailable
	}
	return exitDeny
}

// publicText is what the person is told of an attempt without a verdict. The
// error itself names paths and uids, and goes to stderr.
func publicText(err error) string {
	switch {
	case errors.Is(err, errCancelled):
		return "Cancelled."
	case errors.Is(err, errDeadline):
		return "Timed out."
	case errors.Is(err, errAuthtok):
		return "The answer is too long."
	}
	return "The second factor cannot be checked: factord is not available."
}

// refusalText is what the person is told of a refusal.
func refusalText(v wire.Verdict) string {
	if v.Text == "" {
		return v.Reason.String()
	}
	return v.Text
}
