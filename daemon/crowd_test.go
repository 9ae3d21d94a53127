package daemon

import (
	"sync"
	"testing"
	"time"
)

// A crowd is told of when it comes and when it is gone, and not at each connection
// around its limit.
func TestCrowd(t *testing.T) {
	var c crowd
	told := make(chan bool, 10)
	for _, step := range []struct {
		connections int
		tells       bool
		many        bool
	}{
		{0, false, false}, {maxFew, false, false}, {maxFew + 1, true, true}, {maxFew, false, true}, {5 * maxFew, false, true},
		{maxFew/2 + 1, false, true}, {maxFew / 2, true, false}, {maxFew, false, false}, {maxFew + 1, true, true}, {0, true, false},
	} {
		c.count(step.connections, func(many bool) { told <- many })
		if step.tells {
			if many := <-told; many != step.many {
				t.Errorf("%d connections: told %v", step.connections, many)
			}
		}
	}
	if len(told) > 0 {
		t.Errorf("told %d times more", len(told))
	}
}

// Who is slow to hear hears the truth last.
func TestCrowdInFlux(t *testing.T) {
	var (
		c    crowd
		mu   sync.Mutex
		last bool
		n    int
	)
	slow := func(many bool) {
		time.Sleep(time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		last, n = many, n+1
	}
	const times = 41
	for i := range times {
		c.count((1-i%2)*2*maxFew, slow)
	}
	for {
		mu.Lock()
		done, many := n == times, last
		mu.Unlock()
		if done && !many {
			t.Error("the last told is not how it is")
		}
		if done {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
