package duo

import (
	"time"

	"github.com/factord/factord/daemon/factor/duo/authapi"
)

// Status is what root is told of Duo: what was learnt from the calls so far.
func Status(h authapi.Health, now time.Time) map[string]any {
	status := map[string]any{"reachable": "not known yet"}
	at := func(key string, t time.Time) {
		if !t.IsZero() {
			status[key] = t.UTC().Format(time.RFC3339)
		}
	}
	switch {
	case h.Down:
		status["reachable"] = "no, since " + h.Since.UTC().Format(time.RFC3339)
	case !h.LastAnswer.IsZero():
		status["reachable"] = "yes"
	}
	at("last_answer", h.LastAnswer)
	at("certificate_end", h.CertificateEnd)
	if !h.SkewAt.IsZero() {
		status["clock"] = authapi.SkewText(h.Skew, true)
	}
	if h.LastError != nil {
		status["last_error"] = plain(h.LastError.Error())
		at("last_error_at", h.LastErrorAt)
	}
	if days := int(h.CertificateEnd.Sub(now) / (24 * time.Hour)); !h.CertificateEnd.IsZero() && days < certificateDays {
		status["certificate_days_left"] = days
	}
	return status
}

// certificateDays is how near a certificate's end has to be to be counted in days.
const certificateDays = 14
