package helper

import (
	"github.com/factord/factord/daemon/wire"
)

// attempt is one login put to factord. It is the wire.Conversation of that
// login.
type attempt struct {
	auth  wire.Auth
	watch *watch
	conn  *conn
	lines *wire.Lines
	term  *terminal // nil: nobody can be asked, and Ctrl-C not be seen
	text  int       // where messages go
	log   int       // where errors go; nowhere if people would read it
	ssh   bool      // a session of sshd, which can be told how to be asked
	said  string    // the last message
	// answer is the value from expose_authtok, for the first question; given
	// tells an empty one from none.
	answer []byte
	given  bool
	// authInfo is sshd's SSH_AUTH_INFO_0.
	authInfo string
}

// decide asks factord and returns the exit status.
func (a *attempt) decide(socket string) int {
	if a.term != nil {
		if err := a.watch.catchSignals(); err != nil {
			return a.finish(wire.Verdict{}, err)
		}
	}
	return a.finish(a.login(socket))
}

func (a *attempt) login(socket string) (wire.Verdict, error) {
	if _, err := a.auth.Line(); err != nil {
		return wire.Verdict{}, usageError("what is asked about does not fit into one line")
	}
	c, err := dial(a.watch, a.term, socket)
	if err != nil {
		return wire.Verdict{}, err
	}
	defer c.close()
	a.conn, a.lines = c, wire.NewLines(c)
	defer a.lines.Wipe()
	v, err := wire.Login(a.lines, a.auth, a)
	switch {
	case err == nil && a.lines.Buffered():
		return wire.Verdict{}, wire.ErrGrammar // a second verdict, say
	case v.Allow && a.watch.cancelled:
		// A push was approved as Ctrl-C was pressed: nothing may run after that.
		return wire.Verdict{}, errCancelled
	}
	return v, err
}

// finish tells the person of a refusal, and the log of what is no verdict.
func (a *attempt) finish(v wire.Verdict, err error) int {
	a.term.restore()
	code := status(v, err)
	switch {
	case err != nil:
		if a.text != a.log {
			put(a.text, publicText(err)+"\n")
		}
		put(a.log, "factor-helper: "+err.Error()+"\n")
	case a.ssh && a.term == nil && v.Reason == wire.ReasonDenied:
		put(a.text, "factor-helper: "+refusalText(v)+withoutTerminal+"\n")
	case code != exitAllow && refusalText(v) != a.said: // a wrong answer's text has been shown
		put(a.text, refusalText(v)+"\n")
	}
	return code
}

func (a *attempt) close() {
	clear(a.answer)
	a.term.close()
}

// Info shows a line.
func (a *attempt) Info(text string) {
	if a.term != nil {
		a.term.hush(false)
	}
	put(a.text, text+"\n")
	a.said = text
}

// Enrolling implements wire.Enroller.
func (a *attempt) Enrolling() { a.watch.extend(enrolTime) }

// Ask answers with the value from expose_authtok, once, or asks on the terminal.
func (a *attempt) Ask(kind, text string) ([]byte, wire.Reply) {
	switch {
	case kind == wire.AuthInfo && a.auth.AuthInfo:
		return []byte(a.authInfo), wire.ReplyAnswer
	case kind != wire.Secret && kind != wire.Prompt:
		return nil, wire.ReplyCancel
	case a.given:
		a.given = false
		return a.answer, wire.ReplyAnswer
	case !a.auth.Race:
		return nil, wire.ReplyCancel
	}
	return a.prompt(kind == wire.Prompt, text)
}
