package backup

import (
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/factord/factord/daemon/factor"
)

const (
	minLife     = time.Minute
	maxLife     = 30 * 24 * time.Hour
	maxTickets  = 10        // outstanding, per user and purpose
	ticketsKept = time.Hour // after use or expiry, to tell it from a wrong one
)

// ticket is one record: a one-use code that root made and that expires.
type ticket struct {
	id      string
	Version int       `json:"v"`
	Purpose string    `json:"purpose"`
	Key     []byte    `json:"key"`
	MAC     []byte    `json:"mac"`
	Created time.Time `json:"created"` // by the clock
	// Highest is the highest time that the store had seen at creation.
	Highest time.Time     `json:"highest"`
	For     time.Duration `json:"for"` // nanoseconds
	Used    time.Time     `json:"used,omitzero"`
	// Voided: a backup was restored, and nobody knows whether the code had
	// been used.
	Voided bool `json:"voided,omitempty"`
}

// state is what a ticket is good for. The zero value is nothing.
type state uint8

const (
	stale state = iota // the clock is behind: nothing can be said
	expired
	used
	voided
	valid
)

func (t *ticket) state(m moment) state {
	switch {
	case !t.Used.IsZero():
		return used
	case t.Voided:
		return voided
	case !m.now.Before(t.expires()):
		return expired
	case m.behind(moment{t.Created, t.Highest}):
		return stale
	}
	return valid
}

func (t *ticket) expires() time.Time { return t.Created.Add(t.For) }

// finished says that nobody misses the ticket any more.
func (t *ticket) finished(m moment) bool {
	switch t.state(m) {
	case used:
		return m.now.Sub(t.Used) >= ticketsKept
	case expired, voided:
		return m.now.Sub(t.expires()) >= ticketsKept
	}
	return false
}

func (t *ticket) check(purpose string) error {
	switch {
	case t.Version != version:
		return fmt.Errorf("version %d is unknown", t.Version)
	case t.Purpose != purpose || factor.Number(t.id, purpose) == 0:
		return errors.New("it is for something else")
	case len(t.Key) != keySize || len(t.MAC) != keySize:
		return errors.New("it has no code")
	case t.For < minLife || t.For > maxLife || t.Created.IsZero() || t.Highest.IsZero():
		return errors.New("it has no expiry")
	}
	return nil
}

func (t *ticket) put(rs factor.Records) error {
	value, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return rs.Put(t.id, value)
}

// tickets makes and takes the tickets of one purpose: "bypass", "invite".
type tickets struct {
	purpose string
	rand    io.Reader
}

func (ts tickets) decode(r factor.Record) (*ticket, error) {
	t := &ticket{id: r.ID}
	err := r.Decode(t)
	if err == nil {
		err = t.check(ts.purpose)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s code %q: %v", ts.purpose, r.ID, err)
	}
	return t, nil
}

func (ts tickets) describe(r factor.Record) (factor.Item, error) {
	t, err := ts.decode(r)
	if err != nil {
		return factor.Item{}, err
	}
	return factor.Item{
		ID: t.id, Factor: ts.purpose, Kind: ts.purpose, Name: t.id, Created: t.Created, Used: t.Used,
		Detail: detail("expires", stamp(t.expires()), t.Voided),
	}, nil
}

// grant makes a ticket and returns its code. On the way it removes those that
// are finished or can't be read.
func (ts tickets) grant(rs factor.Records, m moment, life time.Duration) (string, error) {
	if life < minLife || life > maxLife {
		return "", fmt.Errorf("a %s code lasts from %v to %v, not %v", ts.purpose, minLife, maxLife, life)
	}
	if m.high.IsZero() {
		return "", errors.New("the highest time seen is unknown")
	}
	list, err := rs.List()
	if err != nil {
		return "", err
	}
	outstanding := 0
	for _, r := range list {
		t, err := ts.decode(r)
		if err != nil || t.finished(m) {
			if err := rs.Delete(r.ID); err != nil {
				return "", err
			}
		} else if s := t.state(m); s == valid || s == stale {
			outstanding++
		}
	}
	if outstanding >= maxTickets {
		return "", fmt.Errorf("the user has %d unused %s codes\nhint: remove one, or wait until one expires", outstanding, ts.purpose)
	}
	code, err := newCode(ts.rand)
	if err != nil {
		return "", err
	}
	key, err := newKey(ts.rand)
	if err != nil {
		return "", err
	}
	t := &ticket{
		id: nextID(list, ts.purpose), Version: version, Purpose: ts.purpose,
		Key: key, MAC: mac(key, ts.purpose, code), Created: m.now, Highest: m.high, For: life,
	}
	if err := t.put(rs); err != nil {
		return "", err
	}
	return spell(code), nil
}

// redeem spends the ticket of a code. All tickets are compared.
func (ts tickets) redeem(rs factor.Records, code factor.Secret, m moment) (factor.Finding, error) {
	list, err := rs.List()
	if err != nil {
		return factor.Finding{}, err
	}
	var found *ticket
	for _, r := range list {
		t, err := ts.decode(r)
		if err != nil {
			return factor.Finding{}, err
		}
		if hmac.Equal(mac(t.Key, ts.purpose, code), t.MAC) {
			found = t
		}
	}
	if found == nil {
		return factor.Finding{}, nil
	}
	finding := factor.Finding{ID: found.id}
	switch found.state(m) {
	case valid:
		found.Used = m.now
		if err := found.put(rs); err != nil {
			return factor.Finding{}, err
		}
		finding.Outcome = factor.Proven
	case used:
		finding.Outcome = factor.Replayed
		finding.Log = fmt.Sprintf("%s code %q was used at %s", ts.purpose, found.id, stamp(found.Used))
	case voided:
		finding.Log = fmt.Sprintf("%s code %q was voided by a restored backup", ts.purpose, found.id)
	case expired:
		finding.Log = fmt.Sprintf("%s code expired at %s: %q", ts.purpose, stamp(found.expires()), found.id)
	default:
		finding.Log = fmt.Sprintf("%s code %q is not accepted while this clock is behind the highest time seen, %s", ts.purpose, found.id, stamp(m.high))
	}
	return finding, nil
}

// stamp is a time as it stands in the log.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
