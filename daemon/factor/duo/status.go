package duo

import (
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/duo/authapi"
)

// Status is what root is told of Duo: what was learnt from the calls so far.
func Status(h authapi.Health, now time.Time) map[string]any {
	status := map[string]any{"usable": usable(h), "reachable": "not known yet", "breaker": breaker(h, now)}
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
	if at("last_success", h.LastSuccess); !h.LastSuccess.IsZero() {
		status["last_success_age"] = factor.Span(now.Sub(h.LastSuccess)) + " ago"
	}
	at("last_answer", h.LastAnswer)
	if !h.SkewAt.IsZero() {
		status["clock"] = authapi.SkewText(h.Skew, true)
	}
	if h.LastError != nil {
		status["last_error"] = plain(h.LastError.Error())
		at("last_error_at", h.LastErrorAt)
	}
	if at("certificate_end", h.CertificateEnd); !h.CertificateEnd.IsZero() {
		status["certificate_days_left"] = int(h.CertificateEnd.Sub(now) / (24 * time.Hour))
	}
	return status
}

// usable says whether Duo would serve now, and else what is to be mended. What went
// wrong for one user alone says nothing of that.
func usable(h authapi.Health) string {
	e := h.LastError
	switch {
	case h.Down:
		return "no: Duo can't be reached"
	case e != nil && h.LastErrorAt.After(h.LastSuccess):
		switch {
		case e.Kind == authapi.BadKey:
			return "no: Duo does not accept the keys: compare ikey, skey and host with the Admin Panel"
		case e.Kind == authapi.Skewed:
			return "no: " + authapi.SkewText(e.Skew, e.SkewKnown)
		case e.Kind == authapi.Untrusted:
			return "no: Duo's certificate is not trusted: look at ca_file, and at who is in between"
		case e.Kind == authapi.Refused && e.Call == authapi.CallCheck:
			return "no: Duo refuses this application: it has to be of the type Auth API"
		case e.Call == authapi.CallCheck:
			return "no: " + e.Kind.String()
		}
	}
	if h.LastSuccess.IsZero() {
		return "not known yet: factorctl status --check asks Duo"
	}
	return "yes"
}

// breaker is whether logins ask Duo.
func breaker(h authapi.Health, now time.Time) string {
	switch {
	case !h.Down:
		return "closed: Duo is asked"
	case now.Before(h.Until):
		return "open: Duo is not asked before " + h.Until.UTC().Format(time.RFC3339)
	}
	return "half-open: the next login finds out"
}
