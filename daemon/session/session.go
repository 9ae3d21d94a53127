// Package session serves one connection: it reads what a client asks, finds out
// who is asking, and lets policy, factors and store come to one verdict, which
// only the gate (gate.go) can make.
//
// One connection is one attempt. Closing it cancels everything that the attempt
// has started.
package session

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// Limits of one connection.
const (
	// AttemptTime is how long an attempt may take, the person included.
	AttemptTime = 60 * time.Second
	// LoginEnrolTime is how long one may take in which a person sets up their
	// first factor.
	LoginEnrolTime = 90 * time.Second
	// IdleTime is how long a connection may wait between commands.
	IdleTime = 60 * time.Second
	// EnrolTime is how long a person has to set up a new token.
	EnrolTime = 5 * time.Minute
	// maxAnswers is how many answers one attempt may give.
	maxAnswers = 3
	// maxCommands bounds the lines outside inquiries, comments included.
	maxCommands = 1000
	// judgedTime is how long a connection may stay after its verdict.
	judgedTime = 2 * time.Second
	// connectionTime is how long it may stay at all.
	connectionTime = 15 * time.Minute
	// settleTime bounds how long a refusal waits to be recorded once the
	// attempt itself is over.
	settleTime = 2 * time.Second
)

// Config is what all sessions of a daemon share.
type Config struct {
	Store *store.Store
	Users Directory
	// Places knows of login sessions; nil: there is no logind.
	Places Places
	// Plugged finds out which keys are plugged in here; nil: nobody can.
	Plugged Plugged
	// Settings returns what is in force; every command asks anew.
	Settings func() Settings
	// Clock is the time; nil means time.Now.
	Clock func() time.Time
	Log   *slog.Logger
	// Refused is given a copy of refusals before any factor was asked. Of what
	// is in the store's chain, the store gives copies. It may be nil.
	Refused func(store.Event)
	// Bypass and Invite make root's one-use codes.
	Bypass Granter
	Invite Inviter
	// Status is the daemon's part of the answer to STATUS, for root.
	Status func() map[string]any
	// Check asks the servers that factors need whether they would serve, so that
	// Status knows. It may be nil.
	Check func(context.Context)
	// AttemptTime, LoginEnrolTime and IdleTime replace the constants in tests.
	AttemptTime, LoginEnrolTime, IdleTime time.Duration
}

// Settings are what a reload of the configuration can change.
type Settings struct {
	Rules policy.Rules
	// Factors in the order in which they see an answer.
	Factors []factor.Factor
}

// Sessions serves connections. It is safe for concurrent use.
type Sessions struct {
	Config
	quota quota // of records
	asks  quota // of what is asked outside before a question, and of looks at keys
}

// New returns sessions with c's unset fields filled in.
func New(c Config) *Sessions {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Places == nil {
		c.Places = nowhere{}
	}
	if c.AttemptTime == 0 {
		c.AttemptTime = AttemptTime
	}
	if c.LoginEnrolTime == 0 {
		c.LoginEnrolTime = LoginEnrolTime
	}
	if c.IdleTime == 0 {
		c.IdleTime = IdleTime
	}
	return &Sessions{Config: c}
}

// conn is one connection.
type conn struct {
	*Sessions
	Settings                 // as of the command that is being served
	ctx      context.Context // ends with the connection or the daemon
	cancel   context.CancelCauseFunc
	net      net.Conn
	lines    *wire.Lines
	peer     wire.Peer
	process  Process
	state    state
	deadline time.Time
	raced    bool // a question was ended by its answer from elsewhere
	over     bool // the client broke the protocol, or off: no command may follow
	// onAuth is called when AUTH has come: the connection is no longer idle.
	onAuth func()
}

// ErrStopping is the cause with which the daemon ends the sessions that are
// open when it stops.
var ErrStopping = errors.New("factord is stopping")

// errGone ends an attempt whose client has closed the connection.
var errGone = errors.New("the client is gone")

// Serve speaks with one client until it or ctx ends. onAuth may be nil.
func (s *Sessions) Serve(ctx context.Context, nc net.Conn, peer wire.Peer, onAuth func()) {
	defer nc.Close()
	process := s.Places.Hold(nc, peer)
	defer process.Release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errGone)
	c := &conn{Sessions: s, ctx: ctx, cancel: cancel, net: nc, lines: wire.NewLines(nc), peer: peer, process: process, onAuth: onAuth}
	defer context.AfterFunc(ctx, func() { nc.SetReadDeadline(past) })()
	defer func() {
		if r := recover(); r != nil {
			s.Log.Error("session panicked", "panic", r, "uid", peer.UID)
		}
	}()

	c.lines.Put(wire.Greeting)
	end := time.Now().Add(connectionTime)
	for range maxCommands {
		if c.state == stateJudged && time.Until(end) > judgedTime {
			end = time.Now().Add(judgedTime)
		}
		c.setDeadline(min(s.IdleTime, time.Until(end)))
		if c.lines.Flush() != nil {
			return
		}
		line, err := c.lines.Read()
		if err != nil {
			c.refuseLine(err)
			return
		}
		if len(line) == 0 || line[0] == '#' {
			continue // Assuan: comments and empty lines are ignored
		}
		if !c.dispatch(line) {
			c.lines.Flush()
			return
		}
	}
}

// setDeadline bounds every read and write from now on.
func (c *conn) setDeadline(d time.Duration) {
	c.deadline = time.Now().Add(d)
	c.net.SetDeadline(c.deadline)
	if c.ctx.Err() != nil {
		c.net.SetReadDeadline(past)
	}
}

// dispatch serves one command and reports whether another may follow.
func (c *conn) dispatch(line []byte) bool {
	verb, rest := wire.Split(line)
	if !legal(c.state, verb) {
		c.fail(wire.ReasonProtocol, "unknown command, or not now")
		return false
	}
	c.Settings = c.Sessions.Settings()
	switch verb {
	case wire.VerbBye:
		c.lines.Put("OK closing connection")
		return false
	case wire.VerbNop, wire.VerbReset:
		c.lines.Put("OK")
	case wire.VerbAuth:
		if c.onAuth != nil {
			c.onAuth()
		}
		c.login(rest)
		c.state = stateJudged
	default:
		c.manage(verb, rest)
	}
	return !c.over
}

// refuseLine answers a line that could not be read outside an inquiry.
func (c *conn) refuseLine(err error) {
	if r := reasonOf(err); r == wire.ReasonProtocol {
		c.fail(r, err.Error())
		c.lines.Flush()
	}
}

// fail answers a command that gets no verdict.
func (c *conn) fail(r wire.Reason, text string) {
	_, final := wire.Verdict{Reason: r, Text: text}.Lines()
	c.lines.Put(final)
}

// inquire asks the client and returns its answer, which the caller wipes. After
// any error but wire.ErrCancelled the connection is over.
func (c *conn) inquire(kind, text string, limit int) (factor.Secret, error) {
	before := c.state
	c.state = stateInquiring
	answer, err := c.hearAnswer(kind, text, limit)
	c.state = before
	c.lines.Wipe()
	if err != nil {
		answer.Wipe()
		c.over = c.over || !errors.Is(err, wire.ErrCancelled)
		return nil, err
	}
	return answer, nil
}

// hearAnswer returns what came so far even with an error, for wiping.
func (c *conn) hearAnswer(kind, text string, limit int) (answer factor.Secret, err error) {
	question := "INQUIRE " + kind
	if text != "" {
		question += " "
		question += wire.FitText(wire.Printable(text), wire.MaxLine-len(question))
	}
	c.lines.Put(question)
	if err := c.lines.Flush(); err != nil {
		return nil, err
	}
	answer = make(factor.Secret, 0, wire.MaxAnswer) // seldom grows, so seldom leaves a copy behind
	for range wire.MaxInquiryLines {
		line, err := c.lines.Read()
		if err != nil {
			return answer, err
		}
		verb, data := cutVerb(line)
		switch {
		case !legal(c.state, verb):
			return answer, wire.ErrGrammar
		case verb == wire.VerbEnd:
			return answer, nil
		case verb == wire.VerbCancel, verb == wire.VerbCancel2:
			return answer, wire.ErrCancelled
		}
		if data, err = wire.Unescape(data); err != nil {
			return answer, err
		}
		if len(answer)+len(data) > limit {
			return answer, wire.ErrTooLong
		}
		answer = append(answer, data...)
		clear(data)
	}
	return answer, wire.ErrTooLong
}

// cutVerb splits a line without copying the part that may be secret.
func cutVerb(line []byte) (verb string, rest []byte) {
	for i, b := range line {
		if b == ' ' {
			return string(line[:i]), line[i+1:]
		}
	}
	return string(line), nil
}

// reasonOf says what an error of the conversation means for the verdict.
func reasonOf(err error) wire.Reason {
	var outage *factor.Outage
	switch {
	case errors.As(err, &outage): // whose connection's end is not the client's
		return wire.ReasonUnavailable
	case errors.Is(err, ErrStopping), errors.Is(err, store.ErrNotCopied):
		return wire.ReasonUnavailable
	case errors.Is(err, wire.ErrCancelled), errors.Is(err, errGone),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled),
		errors.Is(err, net.ErrClosed), isReset(err):
		return wire.ReasonCancelled
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return wire.ReasonTimeout
	case errors.Is(err, wire.ErrGrammar), errors.Is(err, wire.ErrLineTooLong), errors.Is(err, wire.ErrEscape),
		errors.Is(err, wire.ErrTooLong), errors.Is(err, wire.ErrKey), errors.Is(err, wire.ErrControl), errors.Is(err, wire.ErrEncoding):
		return wire.ReasonProtocol
	case errors.Is(err, factor.ErrUnavailable):
		return wire.ReasonUnavailable
	}
	return wire.ReasonInternal
}
