package daemon

import (
	"sync"
	"sync/atomic"
)

// maxFew is how many connections are no crowd yet. A crowd ends at half as many.
const maxFew = 256

// crowd knows whether many connections are open.
type crowd struct {
	many    atomic.Bool
	telling sync.Mutex
}

// count takes the number of connections, one count after the other, and has tell know
// of a crowd that comes or goes. That may take as long as it likes, and the last word is
// the right one.
func (c *crowd) count(connections int, tell func(many bool)) {
	limit := maxFew
	if c.many.Load() {
		limit /= 2
	}
	many := connections > limit
	if tell == nil || many == c.many.Load() {
		return
	}
	c.many.Store(many)
	go func() {
		c.telling.Lock()
		defer c.telling.Unlock()
		tell(c.many.Load())
	}()
}
