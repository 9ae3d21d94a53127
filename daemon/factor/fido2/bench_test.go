package fido2_test

import (
	"slices"
	"testing"
	"time"

	"github.com/factord/factord/usb/virtual/fido"
)

// touchMax is what is promised of the time from a touch to the verdict.
const touchMax = 150 * time.Millisecond

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
	p50, p99 := times[len(times)/2], times[len(times)*99/100]
	b.ReportMetric(p50.Seconds()*1e3, "p50-ms")
	b.ReportMetric(p99.Seconds()*1e3, "p99-ms")
	if p99 > touchMax {
		b.Errorf("p99 is %v, and %v was promised", p99, touchMax)
	}
}
