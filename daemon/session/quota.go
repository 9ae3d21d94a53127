package session

import (
	"errors"
	"sync"
	"time"
)

// quotaRecords is how many audit records a uid that is not root's may cause in a
// minute by what costs it nothing: logins under rules that ask nothing, and changes
// to its own factors. The ring has 10,000 places, and whoever could fill them at
// will would push out what others did.
const quotaRecords = 60

// errQuota ends a transaction whose record would be one too many.
var errQuota = errors.New("too many records of this uid in a minute")

// maxQuotaUIDs bounds the uids that are counted; beyond it all share one count.
const maxQuotaUIDs = 4096

// quota counts the records of each uid in the present minute.
type quota struct {
	mu     sync.Mutex
	minute int64
	used   map[uint32]int
	others int
}

// take reports whether uid may cause one more record now.
func (q *quota) take(uid uint32, now time.Time) bool {
	if uid == 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if minute := now.Unix() / 60; q.minute != minute || q.used == nil {
		q.minute, q.used, q.others = minute, map[uint32]int{}, 0
	}
	if _, known := q.used[uid]; !known && len(q.used) >= maxQuotaUIDs {
		q.others++
		return q.others <= quotaRecords
	}
	q.used[uid]++
	return q.used[uid] <= quotaRecords
}
