package key

import (
	"errors"
	"fmt"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/wire/agent"
)

// errNoDevice is the outage of a factord that has no way to keys.
func errNoDevice() error {
	return &factor.Outage{Text: textOut, Advice: adviceOut, Err: errors.New("this factord has no way to the keys that are plugged in here")}
}

const (
	textOut   = "keys that are plugged in here can't be asked now"
	adviceOut = "ask your administrator, who finds the reason in the log"
)

// failure is a job's end without evidence, as factor.Outside takes it. What the person
// can put right, or has not done, is a Lapse, which costs nothing; the rest is an outage.
func failure(key string, err error) error {
	var e *agent.Error
	var out *factor.Outage
	switch {
	case errors.As(err, &out):
		return err
	case !errors.As(err, &e):
		return &factor.Outage{Text: textOut, Advice: adviceOut, Err: err}
	}
	lapse := &factor.Lapse{Err: err}
	switch e.Code {
	case agent.Gone:
		lapse.Text, lapse.Late = key+" is not plugged in: plug it in and try again", true
	case agent.Held:
		lapse.Text, lapse.Late = "another program holds "+key+": close it and try again", true
	case agent.NoTouch:
		lapse.Text, lapse.Late = key+" was not touched in time", true
	case agent.Late:
		lapse.Text, lapse.Late = key+" did not answer in time: try again", true
	case agent.Declined:
		lapse.Text = "it was declined at " + key + ", or nobody touched it"
	case agent.WrongKey:
		lapse.Text = key + " has not what was enrolled: was it set up anew? ask your administrator"
	case agent.WrongPIN:
		lapse.Text = "wrong PIN: " + triesLeft(e.Tries)
	case agent.Blocked:
		lapse.Text = "the PIN of " + key + " is blocked: use another factor, and unblock it with the maker's program"
	case agent.Replug:
		lapse.Text = "pull out " + key + ", plug it in and try again"
	case agent.NoPIN:
		lapse.Text = key + " has no PIN, and one is needed: set one with the maker's program"
	case agent.PINNeeded:
		lapse.Text = key + " wants its PIN: log in again and give it"
	case agent.PINLength:
		lapse.Text = "no PIN of " + key + " is so short or long: it was not tried"
	case agent.WrongUV:
		lapse.Text = key + " did not recognise the finger"
	case agent.Excluded:
		lapse.Text = key + " is enrolled already"
	case agent.LastTry:
		lapse.Text = "one try of the PIN is left, and was not used"
	case agent.Unsupported:
		lapse.Text = key + " can't do this"
	case agent.Garbled:
		lapse.Text = key + " gave no clear answer: pull it out, plug it in and try again"
	default:
		return &factor.Outage{Text: textOut, Advice: adviceOut, Err: err}
	}
	return lapse
}

func triesLeft(n int) string {
	if n == 1 {
		return "1 try is left"
	}
	return fmt.Sprintf("%d tries are left", n)
}
