package ctl

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/factord/factord/cmd/factorctl/client"
	"github.com/factord/factord/daemon/wire"
)

// pollTime is how long audit --follow waits before it asks again.
const pollTime = time.Second

// follower is an audit --follow.
type follower struct {
	*app
	query auditQuery
	next  uint64 // the first record that has not been seen; 0: none has been asked for
	after string // the hash of the one before it, in hexadecimal; "": not known
	asked bool   // this connection has answered
	told  bool   // that factord does not answer
}

// follow shows records until it is interrupted, which is no failure.
func (a *app) follow(ctx context.Context, q auditQuery) error {
	f := &follower{app: a, query: q}
	for {
		f.asked = false
		err := a.client().Calls(ctx, client.Nobody{}, func(call func(string, func([]byte)) error) error {
			for {
				if err := f.poll(call); err != nil {
					return err
				}
				if err := sleep(ctx); err != nil {
					return err
				}
			}
		})
		var refused *wire.Refused
		switch {
		case ctx.Err() != nil && context.Cause(ctx) == errInterrupted:
			return nil
		case errors.As(err, &refused), f.next == 0:
			return err // a broken chain, say, or there has never been an answer
		case f.asked:
			continue // factord ends connections that have lasted, and may have been restarted
		}
		if !f.told {
			f.told = true
			fmt.Fprintf(a.Stderr, "factorctl: %v\nstill trying\n", err)
		}
		sleep(ctx)
	}
}

// poll asks for what is new. What has been shown is not asked for again, even
// if the connection breaks in the middle.
func (f *follower) poll(call func(string, func([]byte)) error) error {
	q, from := f.query, ""
	if f.next > 0 {
		q.last, q.since, from = 0, "", strconv.FormatUint(f.next, 10)
	}
	var failed error
	err := call(q.command("from", from, "after", f.after, "follow", "1"), func(line []byte) {
		if failed == nil {
			failed = f.take(line)
		}
	})
	if err == nil && failed == nil {
		f.asked, f.told = true, false
	}
	return errors.Join(err, failed)
}

// take takes a line of the answer: a record, where to go on after the last one, or
// where to go on because another database has taken the place of the one that was
// followed. Its numbers say nothing of what has been shown.
func (f *follower) take(line []byte) error {
	var end struct {
		Next, Replaced uint64
		Hash           string
	}
	if err := json.Unmarshal(line, &end); err != nil {
		return err
	}
	switch {
	case end.Replaced > 0:
		fmt.Fprintf(f.Stderr, "factorctl: the chain was replaced: record %d is not the one that was seen; going on with the restore, record %d\n", f.next-1, end.Replaced)
		f.next, f.after = end.Replaced, ""
	case end.Next > 0:
		f.next, f.after = end.Next, end.Hash
	default:
		e, err := f.showEvent(line)
		hash := sha256.Sum256(bytes.TrimSuffix(line, []byte("\n")))
		f.next, f.after = e.Seq+1, hex.EncodeToString(hash[:])
		return err
	}
	return nil
}

func sleep(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(pollTime):
		return nil
	}
}
