package fido2_test

import (
	"slices"
	"testing"
	"time"

	"github.com/factord/factord/usb/virtual/fido"
)

// BenchmarkTouch is the time from the touch to the verdict at the client: all of factord and
// factord-usb but the kernel's device files. The key's own arithmetic is software's.
func BenchmarkTouch(b *testing.B) {
	d, k := enrolled(b, fido.Options{}, "")
	press := button(k)
	var times []time.Duration
	for b.Loop() {
		l := d.begin()
		l.await("Touch security key fido2-1")
		press(true)
		touched := time.Now()
		d.check(l.end(), "allow fido2", "")
		times = append(times, time.Since(touched))
	}
	slices.Sort(times)
	b.ReportMetric(times[len(times)/2].Seconds()*1e3, "p50-ms")
	b.ReportMetric(times[len(times)*99/100].Seconds()*1e3, "p99-ms")
}
