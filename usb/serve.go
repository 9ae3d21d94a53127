// Package usb is factord-usb: the process that touches keys. It serves one connection,
// on which one operation is asked for, and ends with it.
//
// It knows no user names and makes no verdicts. What it is asked is parsed completely or
// refused, by whom is the kernel's to say, and what it returns is evidence.
package usb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
)

// Limits of one connection.
const (
	// askTime is how long the caller may take to say what it wants.
	askTime = 5 * time.Second
	// WorkTime is what an operation is given beside agent.Common.Wait: keys take their
	// time too.
	WorkTime = 10 * time.Second
	// Grace is how long an operation may take to end when it is cancelled. C code that
	// does not is left behind, and ends with the process.
	Grace = 150 * time.Millisecond
	// replyTime is how long the caller may take to read the reply.
	replyTime = 2 * time.Second
)

// Operations are what can be asked of keys. An error that is an *agent.Error is told to
// the caller as it is.
type Operations interface {
	Keys(context.Context, agent.KeysRequest, Talk) (agent.KeysReply, error)
	Capture(context.Context, agent.CaptureRequest, Talk) (agent.CaptureReply, error)
	HMAC(context.Context, agent.HMACRequest, Talk) (agent.HMACReply, error)
	Card(context.Context, agent.CardRequest, Talk) (agent.CardReply, error)
	Sign(context.Context, agent.SignRequest, Talk) (agent.SignReply, error)
	Create(context.Context, agent.CreateRequest, Talk) (agent.CreateReply, error)
	Assert(context.Context, agent.AssertRequest, Talk) (agent.AssertReply, error)
}

// Talk is what an operation says to the caller while it goes on. It is safe for
// concurrent use.
type Talk interface {
	// State says how things stand.
	State(agent.State)
	// PIN inquires for the PIN, which whoever asks wipes.
	PIN() ([]byte, error)
}

// Config of a connection.
type Config struct {
	Operations Operations
	// May reports whether a uid may ask that is not this process's own; nil: none.
	May func(uid uint32) bool
}

// Causes with which an operation is cancelled.
var (
	errGone = errors.New("the caller has hung up")
	errLate = &agent.Error{Code: agent.Late, Text: "the time is over"}
)

// Serve serves a connection and closes it. It returns within Grace of the caller's
// hanging up, or of the end of ctx, whatever the operation does: the process has to end
// then. An error is for the log: what a key did not do is the caller's to know, and who
// hangs up needs no reason.
func (c Config) Serve(ctx context.Context, nc *net.UnixConn) error {
	defer nc.Close()
	peer, err := peerOf(nc)
	if err != nil {
		return fmt.Errorf("asking who calls: %w", err)
	}
	t := newTalk(nc)
	defer t.end()
	self := uint32(os.Geteuid())
	if peer.UID != self && (c.May == nil || !c.May(peer.UID)) {
		err := &agent.Error{Code: agent.NotPermitted, Text: fmt.Sprintf("uid %d may not ask for keys", peer.UID)}
		t.finish(nil, err)
		return err
	}
	t.bound(time.Now().Add(askTime))
	job, err := hear(t, peer.UID == self)
	if err != nil {
		t.finish(nil, err)
		return forLog(err)
	}
	reply, err := t.run(ctx, job.wait+WorkTime, func(ctx context.Context) ([]byte, error) {
		return job.do(ctx, c.Operations, t)
	})
	t.bound(time.Now().Add(replyTime))
	t.finish(reply, err)
	clear(reply)
	return forLog(err)
}

// forLog drops what is no fault of this program or its caller.
func forLog(err error) error {
	var known *agent.Error
	if errors.Is(err, errGone) || errors.As(err, &known) && known.Code > agent.NotPermitted {
		return nil
	}
	return err
}

// hear greets, and reads which operation is asked for.
func hear(t *talk, own bool) (job, error) {
	t.lines.Put(agent.Greeting)
	if err := t.lines.Flush(); err != nil {
		return job{}, err
	}
	verb, err := t.lines.Read()
	if err != nil {
		return job{}, refused(err)
	}
	op, ok := verbs[string(verb)]
	if !ok {
		return job{}, protocolf("unknown verb")
	}
	text, err := t.inquire(agent.Request, agent.MaxRequest)
	if err != nil {
		return job{}, refused(err)
	}
	return op(text, own)
}

// refused says that a line is the caller's fault, where it is.
func refused(err error) error {
	for _, fault := range []error{wire.ErrLineTooLong, wire.ErrGrammar, wire.ErrEscape, wire.ErrTooLong, wire.ErrCancelled} {
		if errors.Is(err, fault) {
			return protocolf("%v", fault)
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		return errGone
	}
	return err
}

func protocolf(format string, args ...any) error {
	return &agent.Error{Code: agent.Protocol, Text: fmt.Sprintf(format, args...)}
}

func peerOf(nc *net.UnixConn) (peer wire.Peer, err error) {
	raw, err := nc.SyscallConn()
	if err != nil {
		return peer, err
	}
	control := raw.Control(func(fd uintptr) { peer, err = wire.PeerOf(int(fd)) })
	return peer, errors.Join(control, err)
}
