package duo

import (
	"context"
	"sync"

	"github.com/factord/factord/daemon/factor/duo/authapi"
)

// maxLates bounds the questions whose names Duo has told nobody yet.
const maxLates = 256

// lates are the questions whose attempts were over before Duo had named them, by their
// bookings. They are only in memory: of what is lost with it, the note counts.
type lates struct {
	mu   sync.Mutex
	by   map[string]*authapi.Late
	keys []string // the oldest first
}

func (l *lates) keep(id string, late *authapi.Late) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = map[string]*authapi.Late{}
	}
	if l.keys = append(l.keys, id); len(l.keys) > maxLates {
		delete(l.by, l.keys[0])
		l.keys = l.keys[1:]
	}
	l.by[id] = late
}

// txid is Duo's name for a question, "" if it is not known.
func (l *lates) txid(ctx context.Context, id string) string {
	l.mu.Lock()
	late := l.by[id]
	l.mu.Unlock()
	if late == nil {
		return ""
	}
	return late.TxID(ctx)
}
