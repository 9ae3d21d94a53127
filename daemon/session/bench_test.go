package session

import (
	"context"
	"testing"
)

func BenchmarkNSS(b *testing.B) {
	n := NewNSS()
	for b.Loop() {
		n.ByName(context.Background(), 0, "nobody")
	}
}
