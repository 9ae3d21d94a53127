package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/factord/factord/cmd/factorctl/client"
	"github.com/factord/factord/cmd/factorctl/record"
)

// refusalCount are the refusals of one uid in one minute.
type refusalCount struct {
	Minute  time.Time      `json:"minute"`
	PeerUID uint32         `json:"peer_uid"`
	Count   int            `json:"count"`
	Reasons map[string]int `json:"reasons"`
	Users   map[string]int `json:"users"`
	Others  int            `json:"others"`
	Last    record.Event   `json:"last"`
}

func (r refusalCount) String() string {
	names := counted(r.Users)
	if r.Others > 0 {
		names = append(names, fmt.Sprintf("others %d", r.Others))
	}
	of := ""
	if len(names) > 0 {
		of = " of " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s  %d by uid %d (%s)%s, latest: %s", r.Minute.Local().Format("2006-01-02 15:04"),
		r.Count, r.PeerUID, strings.Join(counted(r.Reasons), ", "), of, r.Last.What())
}

// counted are words with how often each was.
func counted(all map[string]int) (words []string) {
	for _, word := range slices.Sorted(maps.Keys(all)) {
		words = append(words, fmt.Sprintf("%s %d", cmp.Or(text(word), "-"), all[word]))
	}
	return words
}

// of is how many are a user's, "" for all. A factord of before this counted no names.
func (r refusalCount) of(user string) int {
	if user == "" || len(r.Users) == 0 {
		return r.Count
	}
	return r.Users[user]
}

// refusals shows what was refused before any factor was asked.
func (a *app) refusals(ctx context.Context, q auditQuery) error {
	var failed error
	shown := 0
	err := a.client().Call(ctx, q.command("refusals", "1"), client.Nobody{}, func(line []byte) {
		count, err := decode[refusalCount](line)
		shown++
		switch {
		case err != nil:
			failed = err
		case a.json:
			a.passOn(line)
		default:
			a.printf("%s\n", count)
		}
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	if shown == 0 {
		a.none("refusals", q)
	}
	return nil
}

// none says that nothing was found, so that silence is not taken for a fault.
func (a *app) none(what string, q auditQuery) {
	switch {
	case a.json:
	case q.user != "":
		fmt.Fprintf(a.Stderr, "no %s of %s\n", what, text(q.user))
	default:
		fmt.Fprintf(a.Stderr, "no %s\n", what)
	}
}
