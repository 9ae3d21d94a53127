package authapi

import "time"

// Health is what status shows of Duo. Times are zero for what never happened.
type Health struct {
	// Down says that Duo is not asked at the moment, but to find out whether it is back.
	// Since is when that began, or when it ended, and Until when that is found out.
	Down         bool
	Since, Until time.Time
	// LastAnswer is the last answer of any kind, a refusal too.
	LastAnswer time.Time
	// LastSuccess is the last answer that was no refusal: keys and clock were right.
	LastSuccess time.Time
	// LastError is the last failure, also one of a single user.
	LastError   *Error
	LastErrorAt time.Time
	// Skew is by how much this clock was ahead of Duo's at SkewAt.
	Skew   time.Duration
	SkewAt time.Time
	// CertificateEnd is NotAfter of the last certificate that was accepted.
	CertificateEnd time.Time
}

// Health asks nobody: it is what was learnt from calls.
func (c *Client) Health() Health {
	b := c.breaker
	b.mu.Lock()
	h := Health{Down: b.down != nil, Since: b.since, Until: b.until, LastAnswer: b.success, LastSuccess: b.served, LastError: b.failure, LastErrorAt: b.failed}
	b.mu.Unlock()
	if r := c.heard.Load(); r != nil {
		h.Skew, h.SkewAt = r.skew, r.at
	}
	if end := c.dialer.certificateEnd.Load(); end != nil {
		h.CertificateEnd = *end
	}
	return h
}
