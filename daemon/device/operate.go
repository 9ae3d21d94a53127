package device

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
)

// Limits of one operation.
const (
	// greetTime is how long factord-usb may take to start and to greet: on a busy machine
	// its unit's sandbox takes seconds.
	greetTime = 20 * time.Second
	// workTime is what it is given beside the time that persons are waited for. It is
	// more than factord-usb takes for itself.
	workTime = 15 * time.Second
	// letGo is how long it may take, once it is cancelled, to put the key at rest.
	letGo = 160 * time.Millisecond
	// reapTime is how long is waited for a process to end, and lingerTime until it is
	// killed: more than it takes to swallow what a key types.
	reapTime   = 30 * time.Millisecond
	lingerTime = 15 * time.Second
	// maxHeard bounds what is heard from it, in bytes: a reply with every byte escaped,
	// and what it says on the way.
	maxHeard = 4 * agent.MaxReply
)

// operate puts the job to factord-usb. It returns within letGo and reapTime of the end of
// ctx, and nothing is left of the operation then but what swallows the rest of a text.
func (b *Broker) operate(ctx context.Context, p *place) error {
	wait := p.job.Request.(interface{ Base() *agent.Common }).Base().WaitTime()
	link, err := b.connect(ctx)
	if err != nil {
		return p.failed(ctx, err)
	}
	defer link.close()
	states := make(chan agent.State)
	result := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				result <- fmt.Errorf("asking factord-usb: %v", r)
			}
		}()
		// From the end of ctx on nobody hears the states any more, hangUp neither.
		e := exchange{job: p.job, states: states, over: ctx.Done()}
		result <- e.run(link.conn, time.Now().Add(wait+workTime))
	}()
	state := agent.State("")
	for {
		select {
		case err := <-result:
			return p.failed(ctx, err)
		case state = <-states:
			p.say(state)
		case <-p.changed:
			p.say(state)
		case <-ctx.Done():
			link.hangUp(result)
			return context.Cause(ctx)
		}
	}
}

// failed sorts out what has become of an operation.
func (p *place) failed(ctx context.Context, err error) error {
	var refused *wire.Refused
	var unreachable *factor.Outage
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &refused):
		if known := agent.ParseError(refused.Code, refused.Text); known != nil {
			return known
		}
		err = fmt.Errorf("ERR %d %q", refused.Code, refused.Text)
	}
	if errors.As(err, &unreachable) {
		return unreachable
	}
	return outage(fmt.Errorf("factord-usb: %s: %w\nhint: its own log has more: journalctl -t factord-usb", p.job.Verb, ended(err)))
}

// ended names an end of the connection that factord did not ask for.
func ended(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errors.New("it ended in the middle of the operation")
	case isTimeout(err):
		return errors.New("it does not answer in time")
	}
	return err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func outage(err error) *factor.Outage {
	return &factor.Outage{Text: "keys that are plugged in here can't be asked", Advice: "use another factor, or tell your administrator", Err: err}
}

// exchange is the conversation with factord-usb about one job.
type exchange struct {
	job    key.Job
	states chan<- agent.State
	over   <-chan struct{} // closed when nobody hears the states any more
	asked  []string        // what has been inquired
	reply  []byte
	many   bool // more than one line came
}

// run asks, and reads the reply into the job.
func (e *exchange) run(nc net.Conn, end time.Time) error {
	nc.SetDeadline(time.Now().Add(greetTime))
	lines := wire.NewLines(&bounded{nc, maxHeard})
	if err := wire.GreetAs(lines, agent.Greeting); err != nil {
		return err
	}
	nc.SetDeadline(end)
	defer func() { clear(e.reply) }()
	if err := wire.Call(lines, e.job.Verb, e, e.data); err != nil {
		return err
	}
	if e.many || len(e.reply) == 0 || len(e.reply) > agent.MaxReply {
		return fmt.Errorf("%w: not one reply", wire.ErrGrammar)
	}
	d := json.NewDecoder(bytes.NewReader(e.reply))
	d.DisallowUnknownFields()
	if err := d.Decode(e.job.Reply); err != nil {
		return fmt.Errorf("reading its reply: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("reading its reply: something follows it")
	}
	return nil
}

func (e *exchange) data(line []byte) {
	e.many = e.many || e.reply != nil
	e.reply = append(e.reply, line...)
}

// Info implements wire.Conversation.
func (e *exchange) Info(text string) {
	state := agent.State(text)
	if !slices.Contains([]agent.State{agent.Absent, agent.Busy, agent.Ready, agent.Touch}, state) {
		return // a state of a later version
	}
	select {
	case e.states <- state:
	case <-e.over:
	}
}

// Ask implements wire.Conversation. Each thing is told once.
func (e *exchange) Ask(kind, _ string) ([]byte, wire.Reply) {
	if slices.Contains(e.asked, kind) {
		return nil, wire.ReplyCancel
	}
	e.asked = append(e.asked, kind)
	switch {
	case kind == agent.Request:
		text, err := json.Marshal(e.job.Request)
		if err == nil && len(text) <= agent.MaxRequest {
			return text, wire.ReplyAnswer
		}
	case kind == agent.PIN && len(e.job.PIN) > 0:
		return bytes.Clone(e.job.PIN), wire.ReplyAnswer
	}
	return nil, wire.ReplyCancel
}

// bounded is a connection from which only so much is read.
type bounded struct {
	net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, wire.ErrTooLong
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
