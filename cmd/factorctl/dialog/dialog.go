// Package dialog speaks with whoever runs factorctl: a person at a terminal, or
// a program that gives its answers on standard input, one a line.
//
// Which of the two it is depends on standard input alone. A terminal means a
// person, who is asked on the controlling terminal even when the output goes
// elsewhere. Anything else is read line by line; when it ends before the first
// answer (cron's /dev/null, or a pipe that only had the secret of a token) and
// there is a terminal after all, the person there is asked.
package dialog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/factord/factord/daemon/wire"
)

// Dialog is a wire.Conversation.
type Dialog struct {
	// Seed answers the inquiry for the secret of a token that exists; it is
	// wiped with the answer.
	Seed []byte
	// Ready, if set, is called before the first question that is not a
	// secret: what the person needs for the answer is shown by then.
	Ready func()

	ctx      context.Context
	stderr   *os.File
	lines    *lines    // of standard input, if that is no terminal
	terminal *Terminal // nil: there is none, or it was not needed yet
	answered bool
	err      error
}

// New returns a dialog until ctx ends.
func New(ctx context.Context, stdin, stderr *os.File) *Dialog {
	d := &Dialog{ctx: ctx, stderr: stderr}
	if term.IsTerminal(int(stdin.Fd())) {
		d.terminal = openTerminal(stdin)
	} else {
		d.lines = &lines{fd: int(stdin.Fd())}
	}
	return d
}

// Terminal returns the terminal at which a person is asked; nil if the answers
// come from standard input.
func (d *Dialog) Terminal() *Terminal { return d.terminal }

// Out is where the person, or the log of the program, sees texts.
func (d *Dialog) Out() *os.File {
	if d.terminal != nil {
		return d.terminal.file
	}
	return d.stderr
}

// Err is why a question could not be answered, nil if all were.
func (d *Dialog) Err() error { return d.err }

// Close gives the terminal back.
func (d *Dialog) Close() {
	clear(d.Seed)
	if d.lines != nil {
		d.lines.wipe()
	}
	d.terminal.close()
}

// Line reads one line of standard input that is no answer, such as a secret.
func (d *Dialog) Line(limit int) ([]byte, error) {
	if d.lines == nil {
		return nil, errors.New("standard input is a terminal, where others can read along")
	}
	return d.lines.read(d.ctx, limit)
}

// Info implements wire.Conversation.
func (d *Dialog) Info(text string) { fmt.Fprintln(d.Out(), text) }

// Ask implements wire.Conversation.
func (d *Dialog) Ask(kind, text string) ([]byte, wire.Reply) {
	if kind == wire.Seed {
		return d.giveSeed()
	}
	if kind != wire.Prompt && kind != wire.Secret {
		d.err = fmt.Errorf("factord asked for %s, which factorctl does not have", wire.Printable(kind))
		return nil, wire.ReplyCancel
	}
	if d.Ready != nil && kind == wire.Prompt {
		d.Ready()
		d.Ready = nil
	}
	answer, err := d.ask(kind == wire.Prompt, text)
	if err != nil {
		d.err = err
		return nil, wire.ReplyCancel
	}
	d.answered = true
	return answer, wire.ReplyAnswer
}

func (d *Dialog) giveSeed() ([]byte, wire.Reply) {
	if len(d.Seed) == 0 {
		d.err = errors.New("factord asked for a secret that was not given")
		return nil, wire.ReplyCancel
	}
	return bytes.Clone(d.Seed), wire.ReplyAnswer
}

// errNobody is a question that nobody is there to answer.
var errNobody = errors.New("nobody is there to be asked\nhint: run it on a terminal, or give the answers on standard input, one a line")

func (d *Dialog) ask(echo bool, text string) ([]byte, error) {
	if d.terminal != nil {
		return d.terminal.ask(d.ctx, echo, text)
	}
	if d.lines == nil {
		return nil, errNobody
	}
	fmt.Fprintln(d.stderr, text)
	answer, err := d.lines.read(d.ctx, wire.MaxAnswer)
	if err != io.EOF {
		return answer, err
	}
	if !d.answered {
		d.terminal = openTerminal(nil)
	}
	if d.terminal == nil {
		return nil, errNobody
	}
	return d.terminal.ask(d.ctx, echo, text)
}
