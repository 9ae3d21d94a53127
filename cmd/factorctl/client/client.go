// Package client connects factorctl to factord: it finds the socket, makes sure
// that factord is at its other end, and turns what can go wrong into a text that
// says what to do.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/factord/factord/daemon/wire"
)

// DefaultSocket is where factord listens.
const DefaultSocket = "/run/factord/factord.sock"

const (
	// dialTime is how long connecting may take: a full backlog is waited for.
	dialTime = 5 * time.Second
	// replyTime is how long factord may take for one line. An attempt has 60
	// seconds there, a push that is waited for included, and 90 if somebody
	// sets up a factor in it.
	replyTime = 95 * time.Second
	// greetingTime is how long it may take to greet, its start included. Behind
	// a socket whose factord can't start there is nobody who ever would.
	greetingTime = 10 * time.Second
)

// Client is a factord that can be asked.
type Client struct {
	Socket string // path of its socket
}

// Call sends one management command over a connection of its own. Each line of
// data is given to data and valid until it returns. A refusal is a
// *wire.Refused.
func (c Client) Call(ctx context.Context, command string, conv wire.Conversation, data func(line []byte)) error {
	return c.Calls(ctx, conv, func(call func(string, func([]byte)) error) error { return call(command, data) })
}

// Calls sends what talk calls, command after command, over one connection.
func (c Client) Calls(ctx context.Context, conv wire.Conversation, talk func(call func(command string, data func(line []byte)) error) error) error {
	return c.with(ctx, func(l *wire.Lines) error {
		if err := wire.Greet(l); err != nil {
			return err
		}
		return talk(func(command string, data func(line []byte)) error {
			if len(command) > wire.MaxLine {
				return errors.New("what was asked does not fit into one line of 1000 bytes")
			}
			return wire.Call(l, command, conv, data)
		})
	})
}

// Nobody is a conversation for commands that ask nothing.
type Nobody struct{}

// Info implements wire.Conversation.
func (Nobody) Info(string) {}

// Ask implements wire.Conversation; it cancels.
func (Nobody) Ask(string, string) ([]byte, wire.Reply) { return nil, wire.ReplyCancel }

// Document is Call for a command that answers with one JSON document.
func (c Client) Document(ctx context.Context, command string, conv wire.Conversation) (json.RawMessage, error) {
	var documents []json.RawMessage
	err := c.Call(ctx, command, conv, func(line []byte) {
		documents = append(documents, json.RawMessage(string(line)))
	})
	if err != nil {
		return nil, err
	}
	if len(documents) != 1 || !json.Valid(documents[0]) {
		return nil, explain(wire.ErrGrammar)
	}
	return documents[0], nil
}

// Login asks for a verdict.
func (c Client) Login(ctx context.Context, a wire.Auth, conv wire.Conversation) (v wire.Verdict, err error) {
	err = c.with(ctx, func(l *wire.Lines) (err error) {
		v, err = wire.Login(l, a, conv)
		if err == nil && l.Buffered() {
			err = wire.ErrGrammar // a second verdict, say
		}
		return err
	})
	if err != nil {
		return wire.Verdict{}, err
	}
	return v, nil
}

// with runs talk over a new connection.
func (c Client) with(ctx context.Context, talk func(*wire.Lines) error) error {
	s, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	// A deadline rather than a close, so that no descriptor is reused under a
	// read that is still on its way out.
	defer context.AfterFunc(ctx, func() { s.SetDeadline(time.Unix(1, 0)) })()
	l := wire.NewLines(&patient{ctx: ctx, conn: s})
	defer l.Wipe()
	err = talk(l)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return explain(err)
}

func (c Client) dial(ctx context.Context) (*net.UnixConn, error) {
	if err := wire.CheckSocket(c.Socket); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Socket, err)
	}
	dialer := net.Dialer{Timeout: dialTime}
	nc, err := dialer.DialContext(ctx, "unix", c.Socket)
	if err != nil {
		return nil, unreachable(c.Socket, err)
	}
	s := nc.(*net.UnixConn)
	if err := checkServer(s); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// patient gives factord replyTime for every read and write, until ctx ends.
type patient struct {
	ctx  context.Context
	conn *net.UnixConn
	// greeted: factord has said something, so it is there.
	greeted bool
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.extend(); err != nil {
		return 0, err
	}
	n, err := p.conn.Read(b)
	if err != nil && !p.greeted && errors.Is(err, os.ErrDeadlineExceeded) && p.ctx.Err() == nil {
		err = errSilent
	}
	p.greeted = p.greeted || n > 0
	return n, err
}

func (p *patient) Write(b []byte) (int, error) {
	if err := p.extend(); err != nil {
		return 0, err
	}
	return p.conn.Write(b)
}

func (p *patient) extend() error {
	limit := replyTime
	if !p.greeted {
		limit = greetingTime
	}
	p.conn.SetDeadline(time.Now().Add(limit))
	if err := p.ctx.Err(); err != nil { // it may have ended just before
		return err
	}
	return nil
}
