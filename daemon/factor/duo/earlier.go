package duo

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/duo/authapi"
)

const (
	// maxOpen bounds what is kept of questions without a verdict: more than
	// maxUnanswered are not put in the time for which one is kept.
	maxOpen = maxUnanswered
	// maxTxID bounds Duo's name for one, in bytes: it is a UUID.
	maxTxID = 100
	// hearTime is how long Duo may take to say what became of them. It answers at once
	// where there is a verdict.
	hearTime = time.Second
)

// open is a question that rang, and whose attempt was over before Duo's verdict.
type open struct {
	TxID string    `json:"txid"`         // "": not known yet, or never
	ID   string    `json:"id,omitempty"` // of the booking, if TxID was not known then
	At   time.Time `json:"at"`
}

// key tells it from others, whether it has been named since or not.
func (o open) key() string { return cmp.Or(o.ID, o.TxID) }

// unheard keeps a question to be asked after later.
func (n *note) unheard(o open) {
	n.Open = append(n.Open, o)
	n.Open = n.Open[max(0, len(n.Open)-maxOpen):]
}

// unheard is what this one leaves, if it may have rung.
func (a *asking) unheard(at time.Time) (o open, left bool) {
	switch {
	case a.verdict:
		return open{}, false
	case a.txid != "" && len(a.txid) <= maxTxID:
		return open{TxID: a.txid, At: at}, true
	}
	return open{ID: a.id, At: at}, a.rang && a.choice.method != authapi.SMS
}

// leaves keeps what may still tell the txid of a question whose login is over.
func (a *asking) leaves(err error) {
	var e *authapi.Error
	if errors.As(err, &e) && e.Late != nil {
		a.f.late.keep(a.id, e.Late)
	}
}

// nameless is when the questions were put of which nobody can know what became.
func (n *note) nameless() (all []time.Time) {
	for _, o := range n.Open {
		if o.TxID == "" {
			all = append(all, o.At)
		}
	}
	return all
}

// name writes down the txids that have become known.
func (n *note) name(named map[string]string) {
	for i, o := range n.Open {
		if o.TxID == "" {
			n.Open[i].TxID = named[o.ID]
		}
	}
}

// no is a person's, at the time that is given.
func (n *note) no(at time.Time, fraud bool) {
	if at.After(n.Denied) {
		n.Denied = at
	}
	n.Fraud = n.Fraud || fraud
}

func (a *asking) earlier() *factor.Earlier {
	return &factor.Earlier{Open: a.readOpen, Ask: a.hear, Settle: a.settleEarlier}
}

func (a *asking) readOpen(rs factor.Records) (bool, error) {
	n, err := noteOf(rs)
	if err != nil {
		return false, err
	}
	n.age(a.now())
	if n.Fraud { // nobody is asked anyway
		return false, nil
	}
	a.open = n.Open
	return len(a.open) > 0, nil
}

// hear asks after all at once. Of those that Duo says nothing of in time it is not known
// whether the person will still answer. A yes is nobody's.
func (a *asking) hear(ctx context.Context) (denied bool) {
	ctx, cancel := context.WithTimeout(ctx, min(hearTime, a.f.Client.Deadline()/2))
	defer cancel()
	defer func(began time.Time) { a.took = time.Since(began) }(time.Now())
	verdicts, txids := make([]*authapi.Verdict, len(a.open)), make([]string, len(a.open))
	var all sync.WaitGroup
	for i, o := range a.open {
		all.Go(func() {
			defer func() { _ = recover() }() // as if Duo had said nothing; the push comes to the same end
			if txids[i] = o.TxID; o.TxID == "" {
				txids[i] = a.f.late.txid(ctx, o.ID)
			}
			if txids[i] == "" || len(txids[i]) > maxTxID {
				txids[i] = ""
				return
			}
			if v, err := a.f.Client.Await(ctx, txids[i], nil); err == nil {
				verdicts[i] = &v
			}
		})
	}
	all.Wait()
	a.heard, a.named = map[string]authapi.Verdict{}, map[string]string{}
	for i, v := range verdicts {
		a.named[a.open[i].key()] = txids[i]
		if v != nil {
			a.heard[a.open[i].key()] = *v
			denied = denied || byPerson(*v, true)
		}
	}
	return denied
}

// settleEarlier books a no as its own attempt would have. When the person said it is not
// known, but not after the push had ended.
func (a *asking) settleEarlier(rs factor.Records) (factor.Finding, error) {
	n, err := noteOf(rs)
	if err != nil {
		return factor.Finding{}, err
	}
	now := a.now()
	n.age(now)
	finding := factor.Finding{Outcome: factor.Lapsed, ID: name}
	var log []string
	n.name(a.named)
	for _, o := range n.Open {
		v, heard := a.heard[o.key()]
		if !heard || !byPerson(v, true) {
			continue
		}
		at := o.At.Add(pendingTime)
		if now.Before(at) {
			at = now
		}
		n.no(at, v.Status == "fraud")
		finding.Outcome = factor.Denied
		log = append(log, "Duo: "+plain(v.Status)+", to what an attempt asked at "+o.At.UTC().Format(time.RFC3339)+" and did not wait for, txid "+plain(o.TxID))
	}
	finding.Log = strings.Join(log, "; ")
	n.forget(a.heard)
	return finding, n.keep(rs)
}

// forget drops what there is a verdict of.
func (n *note) forget(heard map[string]authapi.Verdict) {
	n.Open = slices.DeleteFunc(n.Open, func(o open) bool { _, ok := heard[o.key()]; return ok })
}

// asked reports whether Duo was asked after all of them, before this attempt asks.
func (a *asking) asked(all []open) bool {
	return !slices.ContainsFunc(all, func(o open) bool {
		return !slices.ContainsFunc(a.open, func(was open) bool { return was.key() == o.key() })
	})
}

// byPerson tells a person's no from one of Duo's policies, which has been found out
// after the question was put: of a device, a network, an account. Duo has a status for
// the first; but it gives the same one to some of the others. Those come before anything
// has rung, in other words.
func byPerson(v authapi.Verdict, rang bool) bool {
	if v.Outcome != authapi.OutcomeDeny {
		return false
	}
	switch v.Status {
	case "fraud":
		return true
	case "deny", "":
		return rang || v.Message == "" || strings.Contains(strings.ToLower(v.Message), "request denied")
	}
	return false
}
