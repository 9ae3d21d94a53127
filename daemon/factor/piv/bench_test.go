package piv_test

import (
	"slices"
	"testing"
	"time"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/usb/virtual/card"
)

// touchMax is what is promised of the time from a touch to the verdict.
const touchMax = 150 * time.Millisecond

// BenchmarkTouch is the time from the touch to the verdict at the client, through the real
// factord-usb and pcscd; the card's own arithmetic is software's.
func BenchmarkTouch(b *testing.B) {
	d := newDesk(b)
	g := newGate()
	d.insert(card.Config{Touch: g.finger}, gopiv.PINPolicyNever, gopiv.TouchPolicyAlways)
	g.touch <- struct{}{}
	d.mustEnroll("")
	<-g.reached
	var times []time.Duration
	for b.Loop() {
		touched := make(chan time.Time, 1)
		go func() {
			<-g.reached
			touched <- time.Now()
			g.touch <- struct{}{}
		}()
		if v, p := d.login(); !v.Allow {
			b.Fatalf("%+v, after %q", v, p.Shown)
		}
		times = append(times, time.Since(<-touched))
	}
	slices.Sort(times)
	p50, p99 := times[len(times)/2], times[len(times)*99/100]
	b.ReportMetric(p50.Seconds()*1e3, "p50-ms")
	b.ReportMetric(p99.Seconds()*1e3, "p99-ms")
	if p99 > touchMax {
		b.Errorf("p99 is %v, and %v was promised", p99, touchMax)
	}
}
