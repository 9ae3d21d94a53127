package session

import "unicode/utf8"

// maxLog is the longest text for root in an audit record, in bytes. Factors are brief
// by themselves; one that is not must not fill the records with what it was sent.
const maxLog = 1024

// logText is the beginning of a text for an audit record, in whole characters.
func logText(text string) string {
	const more = "…"
	if len(text) <= maxLog {
		return text
	}
	end := maxLog - len(more)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}
