package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

func appendEvents(t testing.TB, s *Store, n int) {
	t.Helper()
	for done := 0; done < n; {
		mustUpdate(t, s, func(tx *Tx) error {
			for range min(1000, n-done) {
				tx.Audit(Event{Kind: "verdict", User: "alice"})
				done++
			}
			return nil
		})
	}
}

func verify(t testing.TB, s *Store) (err error) {
	t.Helper()
	s.View(func(tx *Tx) error { err = tx.VerifyAudit(); return nil })
	return err
}

func TestAuditRingKeepsTheNewestAndStaysAChain(t *testing.T) {
	s, c := newStore(t, nil)
	if err := verify(t, s); err != nil {
		t.Errorf("empty ring: %v", err)
	}
	appendEvents(t, s, RingSize+500)
	s.Close()
	s = open(t, c)
	if err := verify(t, s); err != nil {
		t.Errorf("full ring: %v", err)
	}
	s.View(func(tx *Tx) error {
		first, count := uint64(0), 0
		err := tx.Events(0, func(e Event) error {
			if count++; first == 0 {
				first = e.Seq
			}
			return nil
		})
		if err != nil || count != RingSize || first != 501 {
			t.Errorf("%d records from %d on, %v", count, first, err)
		}
		return nil
	})
}

func TestAuditChainNamesWhatWasDone(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(b *bolt.Bucket) error
		want  string
	}{
		"flipped byte": {func(b *bolt.Bucket) error {
			return b.Put(seqKey(5), []byte(strings.Replace(string(b.Get(seqKey(5))), "alice", "alicf", 1)))
		}, "record 5 was changed"},
		"flipped last": {func(b *bolt.Bucket) error {
			return b.Put(seqKey(10), []byte(strings.Replace(string(b.Get(seqKey(10))), "alice", "alicf", 1)))
		}, "record 10 was changed"},
		"dropped": {func(b *bolt.Bucket) error { return b.Delete(seqKey(5)) }, "record 5 is missing"},
		"flipped hash": {func(b *bolt.Bucket) error {
			v := string(b.Get(seqKey(5)))
			return b.Put(seqKey(5), []byte(strings.Replace(v, `"prev":"`, `"prev":"AAAA`, 1)))
		}, "record 5 was changed"},
		"flipped hash, cut": {func(b *bolt.Bucket) error {
			v := string(b.Get(seqKey(5)))
			b.Delete(seqKey(6))
			return b.Put(seqKey(5), []byte(strings.Replace(v, `"prev":"`, `"prev":"AAAA`, 1)))
		}, "record 5 was changed, or the one before it"},
		"two, one no record": {func(b *bolt.Bucket) error {
			b.Put(seqKey(4), []byte(strings.Replace(string(b.Get(seqKey(4))), "alice", "alicf", 1)))
			return b.Put(seqKey(6), []byte("x"))
		}, "record 4 or 5 was changed"},
		"flipped first": {func(b *bolt.Bucket) error {
			return b.Put(seqKey(1), []byte(strings.Replace(string(b.Get(seqKey(1))), "alice", "alicf", 1)))
		}, "record 1 was changed"},
		"first dropped": {func(b *bolt.Bucket) error { return b.Delete(seqKey(1)) }, "record 1 is missing"},
		"truncated":     {func(b *bolt.Bucket) error { return b.Delete(seqKey(10)) }, "record 10 is missing"},
		"truncated more": {func(b *bolt.Bucket) error {
			b.Delete(seqKey(9))
			return b.Delete(seqKey(10))
		}, "records 9 to 10 are missing"},
		"swapped": {func(b *bolt.Bucket) error {
			four, five := string(b.Get(seqKey(4))), string(b.Get(seqKey(5)))
			b.Put(seqKey(4), []byte(five))
			return b.Put(seqKey(5), []byte(four))
		}, "record 4 was changed"},
		"put before":        {func(b *bolt.Bucket) error { return b.Put(seqKey(0), b.Get(seqKey(1))) }, "record 0 was added"},
		"put before, short": {func(b *bolt.Bucket) error { return b.Put([]byte{0}, b.Get(seqKey(1))) }, "added: 00 is no number"},
		"put between":       {func(b *bolt.Bucket) error { return b.Put(append(seqKey(3), 0), b.Get(seqKey(3))) }, "added: 000000000000000300 is no number"},
		"put far behind":    {func(b *bolt.Bucket) error { return b.Put(seqKey(1<<63), b.Get(seqKey(10))) }, "record 9223372036854775808 was added"},
		"appended":          {func(b *bolt.Bucket) error { return b.Put(seqKey(11), b.Get(seqKey(10))) }, "record 11 was added"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newStore(t, nil)
			appendEvents(t, s, 10) // at once, so that they are past the tail
			if err := s.db.Update(func(tx *bolt.Tx) error { return tc.spoil(tx.Bucket(bucketAudit)) }); err != nil {
				t.Fatal(err)
			}
			if err := verify(t, s); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// forge puts a record of its own among the audit records.
func forge(t testing.TB, s *Store, bucket, key []byte) {
	t.Helper()
	err := s.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(bucket).Put(key, []byte(`{"seq":1,"kind":"verdict","user":"mallory","verdict":"allow","prev":null}`))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A record that is none of the chain's is named, and nobody sees it as one.
func TestForgedAuditRecords(t *testing.T) {
	for _, bucket := range [][]byte{bucketAudit, bucketTail} {
		for _, key := range [][]byte{seqKey(0), {0}, append(seqKey(3), 0), append(seqKey(13), 0), seqKey(14), seqKey(1 << 63), {255}} {
			s, _ := newStore(t, nil)
			appendEvents(t, s, tailSize+1)
			appendEvents(t, s, 4)
			forge(t, s, bucket, key)
			if err := verify(t, s); err == nil || !strings.Contains(err.Error(), "added") {
				t.Errorf("%s %x: %v", bucket, key, err)
			}
			n := 0
			err := s.View(func(tx *Tx) error {
				return tx.Events(0, func(e Event) error {
					if n++; e.User != "alice" {
						t.Errorf("%s %x: shown as %+v", bucket, key, e)
					}
					return nil
				})
			})
			if n != tailSize+5 || err != nil {
				t.Errorf("%s %x: %d records, %v", bucket, key, n, err)
			}
		}
	}
}

// What was put before the ring must not stop the commit that drops the oldest, nor
// move the chain's beginning.
func TestForgedAuditRecordsGoWithTheOldest(t *testing.T) {
	s, _ := newStore(t, nil)
	s.db.NoSync = true
	appendEvents(t, s, 20)
	for _, key := range [][]byte{{0}, seqKey(0), append(seqKey(1), 0)} {
		forge(t, s, bucketAudit, key)
	}
	appendEvents(t, s, RingSize+500)
	if err := verify(t, s); err != nil {
		t.Error(err)
	}
	if s.state.First != 521 {
		t.Errorf("first is %d", s.state.First)
	}
}

// The oldest records can't be taken away unseen by whoever waits for the ring to
// drop some.
func TestAuditRecordsMissingWhenTheOldestGo(t *testing.T) {
	s, _ := newStore(t, nil)
	s.db.NoSync = true
	appendEvents(t, s, RingSize)
	err := s.db.Update(func(tx *bolt.Tx) (err error) {
		for seq := uint64(1); seq <= 9000; seq++ {
			err = errors.Join(err, tx.Bucket(bucketAudit).Delete(seqKey(seq)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	appendEvents(t, s, ringSlack+20)
	if err := verify(t, s); err == nil || err.Error() != "audit record 1 is missing" {
		t.Errorf("got %v", err)
	}
}

// One record that is gone is named, and refuses nobody: neither here nor in what
// is made of the database.
func TestAuditRecordMissingFromTheTail(t *testing.T) {
	s, c := peopled(t, nil)
	appendEvents(t, s, 1)
	lost := s.state.Last
	if err := s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketTail).Delete(seqKey(lost)) }); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("audit record %d is missing", lost)
	check := func() {
		t.Helper()
		for range 2 * tailSize {
			appendEvents(t, s, 1)
		}
		if err := verify(t, s); err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	path, found := backup(t, s, c)
	if found.Chain == nil || found.Chain.Error() != want {
		t.Errorf("backup: %v", found.Chain)
	}
	s = open(t, c)
	check()
	s.Close()
	if done := mustPutBack(t, c, path); len(done.Warnings) != 1 || !strings.Contains(done.Warnings[0], want) {
		t.Errorf("restore: %q", done.Warnings)
	}
	s = open(t, c)
	check()
	s, _, _ = rekeyed(t, s, c)
	check()
}

// What holds for the ring holds for its newest end, which is kept apart.
func TestAuditTail(t *testing.T) {
	s, c := newStore(t, nil)
	for n := 1; n <= 3*tailSize; n++ {
		appendEvents(t, s, 1)
		if err := verify(t, s); err != nil {
			t.Fatalf("after %d records: %v", n, err)
		}
	}
	s.Close()
	s = open(t, c)
	count := uint64(0)
	s.View(func(tx *Tx) error {
		return tx.Events(0, func(e Event) error {
			if count++; e.Seq != count {
				t.Errorf("record %d comes as number %d", e.Seq, count)
			}
			return nil
		})
	})
	if count != 3*tailSize {
		t.Errorf("%d records", count)
	}
	s.db.Update(func(tx *bolt.Tx) error {
		k, _ := tx.Bucket(bucketTail).Cursor().Last()
		return tx.Bucket(bucketTail).Delete(k)
	})
	if err := verify(t, s); err == nil {
		t.Error("the newest record is gone and nobody noticed")
	}
}

// A flood of refusals makes one record per uid and minute, and few commits.
func TestRefusalsAreCounted(t *testing.T) {
	now := time.Unix(2_000_000_000, 0)
	s, c := newStore(t, func() time.Time { return now })
	for i := range 3000 {
		e := Event{PeerUID: uint32(1000 + i%3), Reason: "not-permitted", User: fmt.Sprint("user", i)}
		if _, err := s.Refuse(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	stats := s.db.Stats()
	if commits := stats.TxStats.GetWrite(); commits > 60 {
		t.Errorf("%d pages written for refusals of three uids", commits)
	}
	now = now.Add(time.Minute)
	s.Refuse(ctx, Event{PeerUID: 1000, Reason: "protocol"})
	s.Close()
	s = open(t, c)
	var got []string
	s.View(func(tx *Tx) error {
		return tx.Refusals(func(r Refusals) error {
			got = append(got, fmt.Sprint(r.PeerUID, r.Count, r.Reasons))
			return nil
		})
	})
	want := "1000 1000 map[not-permitted:1000]|1001 1000 map[not-permitted:1000]|1002 1000 map[not-permitted:1000]|1000 1 map[protocol:1]"
	if strings.Join(got, "|") != want {
		t.Errorf("got %s", strings.Join(got, "|"))
	}
	if err := verify(t, s); err != nil {
		t.Error(err)
	}
}

// Root asks for everybody, so a record says for whom; of made-up names it has a few.
func TestRefusalsHaveNames(t *testing.T) {
	s, _ := newStore(t, func() time.Time { return time.Unix(2_000_000_000, 0) })
	refuse := func(name string) {
		t.Helper()
		if _, err := s.Refuse(ctx, Event{Reason: "no-rule", User: name}); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 { // each in a transaction of its own
		refuse("alice")
		refuse("bob")
		if err := s.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 {
		refuse(fmt.Sprint("user", i))
	}
	refuse(strings.Repeat("x", maxRefusedName+1))
	for range 2 {
		if err := s.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		refuse("bob") // who is known since before the flood
	}
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	var all []Refusals
	s.View(func(tx *Tx) error {
		return tx.Refusals(func(r Refusals) error { all = append(all, r); return nil })
	})
	if len(all) != 1 {
		t.Fatalf("%d records", len(all))
	}
	r := all[0]
	if len(r.Users) != maxNames || r.Users["alice"] != 3 || r.Users["bob"] != 5 || r.Others != 101-(maxNames-2) || r.Count != 109 {
		t.Errorf("%+v", r)
	}
	for name, want := range map[string]bool{"alice": true, "bob": true, "carol": false} {
		if r.Of(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

// After a commit that failed nobody knows what the disk has; the next one looks.
func TestStateAfterAFailedCommit(t *testing.T) {
	s, _ := newStore(t, nil)
	appendEvents(t, s, tailSize)
	before := s.state
	appendEvents(t, s, 1)
	s.state, s.stale = before, true // as if the last fdatasync had failed
	appendEvents(t, s, 1)
	if err := verify(t, s); err != nil || s.state.Last != tailSize+2 {
		t.Errorf("%d records, %v", s.state.Last, err)
	}
}

// Who asks from a record on learns of what was done to it and those after it, and
// of none before.
func TestAuditChainFromARecordOn(t *testing.T) {
	s, _ := newStore(t, nil)
	appendEvents(t, s, 20)
	s.db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketAudit)
		return b.Put(seqKey(5), []byte(strings.Replace(string(b.Get(seqKey(5))), "alice", "alicf", 1)))
	})
	for from, want := range map[uint64]string{0: "record 5 was changed", 4: "record 5 was changed", 6: "record 5 was changed", 7: "", 20: "", 21: "", 99: ""} {
		var err error
		s.View(func(tx *Tx) error { err = tx.VerifyAuditFrom(from); return nil })
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && !strings.Contains(got, want) {
			t.Errorf("from %d: %v", from, err)
		}
	}
}
