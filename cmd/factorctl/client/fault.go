package client

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/factord/factord/daemon/wire"
)

// unreachable says why nobody answers at path, and what to do.
func unreachable(path string, err error) error {
	why := err
	var call *os.SyscallError
	if errors.As(err, &call) {
		why = call.Err
	}
	text := fmt.Sprintf("connecting to %s: %v", path, why)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return errors.New(text + "\nhint: is factord running? systemctl status factord.socket\nhint: one that listens elsewhere: --socket PATH")
	case errors.Is(err, fs.ErrPermission):
		return errors.New(text + "\nhint: who may reach the socket? ls -ld " + path + " and the folders above it")
	}
	return errors.New(text)
}

// errSilent is a socket behind which nobody answers.
var errSilent = errors.New("factord does not answer\nhint: its socket is there, so look why it does not start: journalctl -u factord")

// explain says what an error of the conversation means.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errors.New("factord closed the connection before it had answered\nhint: journalctl -u factord")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("factord gave no answer within %v\nhint: journalctl -u factord", replyTime)
	case isWire(err):
		return fmt.Errorf("what came from the socket is not factord's language: %v\nhint: is --socket factord's, and are factord and factorctl of one version?", err)
	}
	return err
}

func isWire(err error) bool {
	for _, e := range []error{wire.ErrGrammar, wire.ErrLineTooLong, wire.ErrEscape, wire.ErrControl, wire.ErrEncoding, wire.ErrKey, wire.ErrTooLong} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
