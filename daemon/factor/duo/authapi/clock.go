package authapi

import (
	"net/http"
	"time"
)

// maxSkew is by how much the clocks may differ before a 401 is put down to that.
// Duo does not document its window; its clients' tests have 300 s. Less than a
// minute is no window that anybody runs.
const maxSkew = time.Minute

// clockReading is what an answer said about the time.
type clockReading struct {
	skew time.Duration // by how much this machine is ahead
	at   time.Time
}

// readClock compares the Date header of an answer with the clock at its arrival.
// The skew is known to a second or so: the header has no fractions. It is only ever
// shown: signing with the other side's time would hide what has to be repaired.
func (c *Client) readClock(h http.Header) (skew time.Duration, known bool) {
	said, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0, false
	}
	now := c.now()
	skew = now.Sub(said.Add(time.Second / 2)).Round(time.Second)
	c.heard.Store(&clockReading{skew: skew, at: now})
	return skew, true
}

// blameClock turns a 401 into Skewed if the date is the reason: Duo's codes 40104
// (no timestamp) and 40105 (a bad one), or a clock that is plainly off.
func (e *Error) blameClock() {
	off := e.SkewKnown && e.Skew.Abs() >= maxSkew
	if e.Kind == BadKey && (e.Code == 40104 || e.Code == 40105 || off) {
		e.Kind = Skewed
	}
}
