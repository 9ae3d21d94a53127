package duo

import (
	"context"
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
	TxID string    `json:"txid"`
	At   time.Time `json:"at"`
}

// unheard keeps a question to be asked after later.
func (n *note) unheard(txid string, at time.Time) {
	if txid == "" || len(txid) > maxTxID {
		return
	}
	n.Open = append(n.Open, open{TxID: txid, At: at})
	n.Open = n.Open[max(0, len(n.Open)-maxOpen):]
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
	verdicts := make([]*authapi.Verdict, len(a.open))
	var all sync.WaitGroup
	for i, o := range a.open {
		all.Go(func() {
			defer func() { _ = recover() }() // as if Duo had said nothing; the push comes to the same end
			if v, err := a.f.Client.Await(ctx, o.TxID, nil); err == nil {
				verdicts[i] = &v
			}
		})
	}
	all.Wait()
	a.heard = map[string]authapi.Verdict{}
	for i, v := range verdicts {
		if v != nil {
			a.heard[a.open[i].TxID] = *v
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
	for _, o := range n.Open {
		v, heard := a.heard[o.TxID]
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
	n.Open = slices.DeleteFunc(n.Open, func(o open) bool { _, ok := heard[o.TxID]; return ok })
}

// asked reports whether Duo was asked after all of them, before this attempt asks.
func (a *asking) asked(all []open) bool {
	return !slices.ContainsFunc(all, func(o open) bool {
		return !slices.ContainsFunc(a.open, func(was open) bool { return was.TxID == o.TxID })
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
