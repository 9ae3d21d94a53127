package session_test

import (
	"sync/atomic"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// BenchmarkVerdict is a login that is recorded and copied, and asks for nothing.
func BenchmarkVerdict(b *testing.B) {
	d := factordtest.NewDaemon(b, factordtest.Options{Config: "[[rule]]\nmode = \"exempt\"\n"})
	login := func() bool {
		v, err := factordtest.Login(d.Socket, -1, wire.Auth{User: "alice", Service: "sudo"}, &factordtest.Talk{})
		return err == nil && v.Allow
	}
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			if !login() {
				b.Fatal("refused")
			}
		}
	})
	b.Run("many", func(b *testing.B) {
		b.SetParallelism(32)
		var refused atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if !login() {
					refused.Add(1)
				}
			}
		})
		if n := refused.Load(); n > 0 {
			b.Errorf("%d refused", n)
		}
	})
}
