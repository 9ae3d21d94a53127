package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/wire"
)

// maxQuestions is how many questions may come before somebody outside is asked: a PIN,
// again after a slip, and whether the last try may be spent.
const maxQuestions = 4

// errQuestions: there were more, as of a card with many tries of its PIN.
var errQuestions = &factor.Lapse{Text: "too many wrong answers: log in again", Err: errors.New("too many questions before asking")}

// noReply is a question of a factor that got no answer.
type noReply struct{ err error }

func (n *noReply) Error() string { return "no answer to a question: " + n.err.Error() }

// askOutside asks, for as long as the client is there, and puts to the person what has
// to be answered before.
func (a *attempt) askOutside(ctx context.Context, p *pending) (*factor.Wait, error) {
	p.ctx, p.end = context.WithCancel(ctx)
	for asked := 0; ; asked++ {
		wait, err := a.askOnce(ctx, p)
		var q *factor.Question
		switch {
		case !errors.As(err, &q):
			return wait, err
		case asked == maxQuestions:
			return nil, errQuestions
		case !a.auth.Conv.CanAsk():
			return nil, errors.New("a question, and nobody can be asked")
		}
		if err := a.put(q); err != nil {
			return nil, &noReply{err}
		}
	}
}

// askOnce is Outside.Ask. What it leaves behind ends when the client hangs up, as the
// call itself does, whatever has come of it.
func (a *attempt) askOnce(ctx context.Context, p *pending) (wait *factor.Wait, err error) {
	watched, stop := a.watch(ctx) // and not p.ctx, which ends with what is watched
	unhook := context.AfterFunc(watched, p.end)
	defer func() {
		if r := recover(); r != nil {
			wait, err = nil, fmt.Errorf("%w: asking: %v", errPanicked, r)
		}
		unhook() // or the end of the watch would be the end of it all
		if gone := stop(); gone != nil {
			p.end()
			wait, err = nil, gone
		}
	}()
	return p.claim.Outside.Ask(p.ctx)
}

// put has the person answer a question of a factor.
func (c *conn) put(q *factor.Question) error {
	kind := wire.Secret
	if q.Echo {
		kind = wire.Prompt
	}
	answer, err := c.inquire(kind, q.Text, wire.MaxAnswer)
	if err != nil {
		return err
	}
	q.Answer(answer)
	answer.Wipe()
	return nil
}
