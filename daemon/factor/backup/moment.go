package backup

import "time"

// moment is a time as far as it can be trusted. A clock that was set back would
// make what has expired valid again, so the highest time that the store has ever
// seen stands beside it.
type moment struct {
	now  time.Time
	high time.Time // zero: unknown
}

// clockSlack is how far a clock may be set back without being refused: that much
// is what time synchronisation does.
const clockSlack = 5 * time.Second

// at makes a moment. The store may not have seen now yet.
func at(now, highest time.Time) moment {
	// Round drops the monotonic reading, which a clock set back doesn't show.
	m := moment{now: now.Round(0).UTC(), high: highest.Round(0).UTC()}
	if !m.high.IsZero() && m.high.Before(m.now) {
		m.high = m.now
	}
	return m
}

// behind says that the clock is before what it must have reached since an
// earlier moment. It is so whenever the highest time is not known.
func (m moment) behind(since moment) bool {
	if m.high.IsZero() || since.high.IsZero() || m.high.Before(since.high) {
		return true
	}
	return m.now.Before(since.now.Add(m.high.Sub(since.high) - clockSlack))
}
