package backup

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
)

func restored(t *testing.T, f factor.Restorer, m *memory) {
	t.Helper()
	if err := f.Restored(m, nil, noon); err != nil {
		t.Fatal(err)
	}
	once := maps.Clone(m.values)
	if err := f.Restored(m, nil, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for id, value := range once {
		if string(m.values[id]) != string(value) {
			t.Errorf("a second time changes %q", id)
		}
	}
}

func TestRestoredSet(t *testing.T) {
	f, m := New(Config{}), newMemory()
	d, err := f.Enroll(factor.Enrolment{Kind: kind})
	if err == nil {
		err = d.Commit(m, nil, noon)
	}
	if err != nil {
		t.Fatal(err)
	}
	before := login(m, noon)
	restored(t, f, m)
	if o, err := f.Offer(t.Context(), login(m, noon)); err != nil || !o.Enrolled || o.Usable {
		t.Errorf("offer %+v, %v", o, err)
	}
	for _, code := range d.Show.(Shown).Codes {
		found := want(t, f, m, before, code, factor.Replayed) // an attempt that was open
		if !strings.HasSuffix(found.Log, "or voided by a restored backup") {
			t.Errorf("finding %+v", found)
		}
	}
	item, err := f.Describe(login(m, noon).Records[0])
	if err != nil || item.Detail["left"] != "0" || item.Detail["voided"] != "by a restored backup" {
		t.Errorf("described as %v, %v", item.Detail, err)
	}
}

func TestRestoredTickets(t *testing.T) {
	b, m := NewBypass(Config{}), newMemory()
	usedUp, code := granted(t, b, m, noon, noon, time.Hour), granted(t, b, m, noon, noon, time.Hour)
	want(t, b, m, login(m, noon), usedUp, factor.Proven)
	restored(t, b, m)
	if o, err := b.Offer(t.Context(), login(m, noon)); err != nil || o.Usable {
		t.Errorf("offer %+v, %v", o, err)
	}
	want(t, b, m, login(m, noon), usedUp, factor.Replayed)
	if found := want(t, b, m, login(m, noon), code, factor.Wrong); found.Log != `bypass code "bypass-2" was voided by a restored backup` {
		t.Errorf("finding %+v", found)
	}
	if item, err := b.Describe(login(m, noon).Records[1]); err != nil || item.Detail["voided"] == "" || item.Detail["expires"] == "" {
		t.Errorf("described as %v, %v", item.Detail, err)
	}
	// Those of before make no room scarce, and go in time.
	for range maxTickets {
		granted(t, b, m, noon, noon, time.Hour)
	}
	later := noon.Add(2 * time.Hour)
	if granted(t, b, m, later, later, time.Hour); m.values["bypass-2"] != nil {
		t.Error("a voided code is kept for ever")
	}

	v, m := NewInvite(Config{}), newMemory()
	code, err := v.Grant(m, noon, noon, 0)
	if err != nil {
		t.Fatal(err)
	}
	restored(t, v, m)
	if got, err := v.Redeem(m, factor.Secret(code), noon, noon); err != nil || got != factor.Wrong {
		t.Errorf("redeemed: %d, %v", got, err)
	}
}

func TestRestoredAmongDamaged(t *testing.T) {
	for _, f := range []factor.Restorer{New(Config{}), NewBypass(Config{}), NewInvite(Config{})} {
		m := newMemory()
		m.values["backup-1"] = []byte("{}")
		restored(t, f, m)
		m.fail = "list"
		if err := f.Restored(m, nil, noon); err != errDisk {
			t.Errorf("%T: %v", f, err)
		}
	}
	b, m := NewBypass(Config{}), newMemory()
	granted(t, b, m, noon, noon, time.Hour)
	m.fail = "put"
	if err := b.Restored(m, nil, noon); err != errDisk {
		t.Error(err)
	}
}
