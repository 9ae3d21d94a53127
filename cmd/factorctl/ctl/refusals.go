package ctl

import (
	"context"
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
	Last    record.Event   `json:"last"`
}

func (r refusalCount) String() string {
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(r.Reasons)) {
		reasons = append(reasons, fmt.Sprintf("%s %d", text(reason), r.Reasons[reason]))
	}
	return fmt.Sprintf("%s  %d by uid %d (%s), latest: %s", r.Minute.Local().Format("2006-01-02 15:04"),
		r.Count, r.PeerUID, strings.Join(reasons, ", "), r.Last.What())
}

// refusals shows what was refused before any factor was asked.
func (a *app) refusals(ctx context.Context, q auditQuery) error {
	var failed error
	err := a.client().Call(ctx, q.command("refusals", "1"), client.Nobody{}, func(line []byte) {
		count, err := decode[refusalCount](line)
		switch {
		case err != nil:
			failed = err
		case a.json:
			a.passOn(line)
		default:
			a.printf("%s\n", count)
		}
	})
	if err != nil {
		return err
	}
	return failed
}
