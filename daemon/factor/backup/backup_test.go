package backup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// made makes a set for a user and returns its codes.
func made(t testing.TB, f *Factor, m *memory, name string) Shown {
	t.Helper()
	list, _ := m.List()
	d, err := f.Enroll(factor.Enrolment{User: "alice", Kind: "backup", Name: name, Existing: list, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	if d.Ask != "" {
		t.Errorf("asks %q", d.Ask)
	}
	if err := d.Commit(m, nil, noon); err != nil {
		t.Fatal(err)
	}
	return d.Show.(Shown)
}

func TestSpendAll(t *testing.T) {
	f, m := New(Config{}), newMemory()
	codes := made(t, f, m, "").Codes
	if len(codes) != 10 {
		t.Fatalf("%d codes", len(codes))
	}
	notes := []string{"9 backup codes left", "8 backup codes left", "7 backup codes left", "6 backup codes left", "5 backup codes left",
		"4 backup codes left", "3 backup codes left", "2 backup codes left: make new ones with: factorctl enroll backup",
		"1 backup code left: make new ones with: factorctl enroll backup", "no backup codes left: make new ones with: factorctl enroll backup"}
	for i, code := range codes {
		l := login(m, noon.Add(time.Duration(i)*time.Hour))
		if o, err := f.Offer(t.Context(), l); err != nil || !reflect.DeepEqual(o, factor.Offer{Enrolled: true, Usable: true, Hint: "backup code"}) {
			t.Errorf("offer %+v, %v", o, err)
		}
		found := want(t, f, m, l, strings.ToUpper(code), factor.Proven)
		if found.Note != notes[i] || found.ID != "backup-1" || found.Log != "" {
			t.Errorf("finding %+v, want note %q", found, notes[i])
		}
		item, err := f.Describe(login(m, noon).Records[0])
		if err != nil || !item.Used.Equal(l.Now) || item.Detail["left"] != fmt.Sprint(9-i) {
			t.Errorf("described as %+v, %v", item, err)
		}
		for _, spent := range codes[:i+1] {
			found := want(t, f, m, l, spent, factor.Replayed)
			if found.ID != "backup-1" || found.Note != "" || !strings.Contains(found.Log, `"backup-1"`) {
				t.Errorf("finding %+v", found)
			}
		}
	}
	if o, err := f.Offer(t.Context(), login(m, noon)); err != nil || !o.Enrolled || o.Usable {
		t.Errorf("all spent: offer %+v, %v", o, err)
	}
}

func TestShown(t *testing.T) {
	f, m := New(Config{Rand: &counting{}}), newMemory()
	shown := made(t, f, m, "on paper")
	text, err := json.Marshal(shown)
	if err != nil || !strings.HasPrefix(string(text), `{"id":"backup-1","factor":"backup","name":"on paper","codes":["`) {
		t.Errorf("shown %s, %v", text, err)
	}
	for _, code := range shown.Codes {
		if v := string(m.values["backup-1"]); strings.Contains(v, code) || strings.Contains(v, strings.ReplaceAll(code, "-", "")) {
			t.Errorf("the record has the code %q: %s", code, v)
		}
	}
	item, err := f.Describe(login(m, noon).Records[0])
	wanted := factor.Item{ID: "backup-1", Factor: "backup", Kind: "backup", Name: "on paper", Created: noon, Detail: map[string]string{"left": "10"}}
	if err != nil || !reflect.DeepEqual(item, wanted) {
		t.Errorf("described as %+v, %v", item, err)
	}
}

func TestNewSetVoidsTheOld(t *testing.T) {
	f, m := New(Config{}), newMemory()
	old := made(t, f, m, "")
	want(t, f, m, login(m, noon), old.Codes[0], factor.Proven)
	before, err := f.Verify(t.Context(), login(m, noon), factor.Secret(old.Codes[2]))
	if err != nil {
		t.Fatal(err)
	}
	fresh := made(t, f, m, "")
	if fresh.ID != "backup-2" || fresh.Name != "backup-2" || len(m.values) != 1 {
		t.Errorf("shown %q, kept %d", fresh.ID, len(m.values))
	}
	for _, code := range old.Codes {
		if _, err := answer(t, f, m, login(m, noon), code); err != factor.ErrNotMine {
			t.Errorf("%q of the old set: %v", code, err)
		}
	}
	if found, err := before.Settle(m); err != nil || found.Outcome != factor.Wrong {
		t.Errorf("a claim on the old set: %+v, %v", found, err)
	}
	want(t, f, m, login(m, noon), fresh.Codes[0], factor.Proven)
	m.values["backup-7"] = []byte("junk")
	if next := made(t, f, m, ""); next.ID != "backup-8" || len(m.values) != 1 {
		t.Errorf("replacing junk: %q", next.ID)
	}
}

func TestCommitTwice(t *testing.T) {
	f, m := New(Config{}), newMemory()
	d, err := f.Enroll(factor.Enrolment{User: "alice", Kind: "backup", Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(m, nil, noon); err != nil {
		t.Fatal(err)
	}
	code := d.Show.(Shown).Codes[0]
	want(t, f, m, login(m, noon), code, factor.Proven)
	if err := d.Commit(m, nil, noon); err == nil {
		t.Error("committed twice")
	}
	want(t, f, m, login(m, noon), code, factor.Replayed)
}

func TestTwoConnections(t *testing.T) {
	f, m := New(Config{}), newMemory()
	code := factor.Secret(made(t, f, m, "").Codes[0])
	a, err1 := f.Verify(t.Context(), login(m, noon), code)
	b, err2 := f.Verify(t.Context(), login(m, noon), code)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if found, err := a.Settle(m); err != nil || found.Outcome != factor.Proven {
		t.Errorf("first: %+v, %v", found, err)
	}
	if found, err := b.Settle(m); err != nil || found.Outcome != factor.Replayed {
		t.Errorf("second: %+v, %v", found, err)
	}
}

func TestEnrollRefuses(t *testing.T) {
	f := New(Config{})
	for _, e := range []factor.Enrolment{
		{Kind: ""}, {Kind: "bypass"}, {Kind: "backup", Seed: factor.Secret("x")},
		{Kind: "backup", Options: map[string]string{"digits": "6"}},
		{Kind: "backup", Name: "a\nb"}, {Kind: "backup", Name: strings.Repeat("n", 65)}, {Kind: "backup", Name: " x"},
	} {
		if _, err := f.Enroll(e); err == nil {
			t.Errorf("enrolled %+v", e)
		}
	}
	f = New(Config{Rand: bytes.NewReader(make([]byte, 100))})
	if _, err := f.Enroll(factor.Enrolment{Kind: "backup"}); err == nil {
		t.Error("made codes of too little")
	}
}

func TestNotMine(t *testing.T) {
	f, m := New(Config{}), newMemory()
	for range 2 { // without and with a set
		for _, text := range []string{"", "123456", "7k2m-x9qa-04vd", "7k2mx9qa04vd", "push"} {
			if _, err := f.Verify(t.Context(), login(m, noon), factor.Secret(text)); err != factor.ErrNotMine {
				t.Errorf("%q: %v", text, err)
			}
		}
		if o, err := f.Offer(t.Context(), login(newMemory(), noon)); err != nil || !reflect.DeepEqual(o, (factor.Offer{})) {
			t.Errorf("no set: %+v, %v", o, err)
		}
		made(t, f, m, "")
	}
}

func TestUnreadableSet(t *testing.T) {
	f, m := New(Config{}), newMemory()
	shown := made(t, f, m, "")
	good := string(m.values["backup-1"])
	claim, err := f.Verify(t.Context(), login(m, noon), factor.Secret(shown.Codes[0]))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"empty":         "",
		"null":          "null",
		"version":       strings.Replace(good, `"v":1`, `"v":2`, 1),
		"unknown field": strings.Replace(good, `"v":1`, `"v":1,"x":1`, 1),
		"trailing":      good + "{}",
		"no key":        strings.Replace(good, `"key":"`, `"key":"","codes":[],"key":"AA`, 1),
		"name":          strings.Replace(good, `"name":"backup-1"`, `"name":""`, 1),
		"fewer codes":   strings.Replace(good, `"codes":[`, `"codes":[{"mac":"AA=="},`, 1),
		"short mac":     strings.Replace(good, `"mac":"`, `"mac":"AA==","mac":"AAAA`, 1),
		"too long":      good + strings.Repeat(" ", factor.MaxRecord),
	} {
		if value == good {
			t.Fatalf("%s: unchanged", name)
		}
		m.values["backup-1"] = []byte(value)
		if o, err := f.Offer(t.Context(), login(m, noon)); err == nil || !reflect.DeepEqual(o, (factor.Offer{})) {
			t.Errorf("%s: offer %+v, %v", name, o, err)
		}
		if _, err := f.Describe(login(m, noon).Records[0]); err == nil {
			t.Errorf("%s: described", name)
		}
		// A bypass code has to pass.
		if _, err := answer(t, f, m, login(m, noon), shown.Codes[0]); err != factor.ErrNotMine {
			t.Errorf("%s: verifying: %v", name, err)
		}
		if found, err := claim.Settle(m); err == nil || found.Outcome != factor.Wrong {
			t.Errorf("%s: settling: %+v, %v", name, found, err)
		}
	}
	for _, id := range []string{"", "backup", "backup-0", "backup-01", "bypass-1", "1"} {
		if _, err := decodeSet(factor.Record{ID: id, Value: []byte(good)}); err == nil {
			t.Errorf("id %q: decoded", id)
		}
	}
}

func TestStoreFails(t *testing.T) {
	f, m := New(Config{}), newMemory()
	shown := made(t, f, m, "")
	for _, fail := range []string{"list", "put"} {
		l := login(m, noon)
		m.fail = fail
		if found, err := answer(t, f, m, l, shown.Codes[0]); !errors.Is(err, errDisk) || found.Outcome != factor.Wrong {
			t.Errorf("%s fails: %+v, %v", fail, found, err)
		}
		m.fail = ""
	}
	d, err := f.Enroll(factor.Enrolment{Kind: "backup"})
	if err != nil {
		t.Fatal(err)
	}
	for _, fail := range []string{"list", "delete", "put"} {
		m.fail = fail
		if err := d.Commit(m, nil, noon); !errors.Is(err, errDisk) {
			t.Errorf("%s fails: %v", fail, err)
		}
	}
}

// Whatever is answered, only a code that was made proves, and only once.
func FuzzVerify(f *testing.F) {
	for _, s := range []string{"7k2m-x9qa-04vd", "IL1O iiii-llll", "123456", ""} {
		f.Add(s, false)
	}
	f.Add(made(f, New(Config{Rand: &counting{}}), newMemory(), "").Codes[0], true)
	f.Fuzz(func(t *testing.T, text string, granted bool) {
		random := &counting{}
		fac, byp := New(Config{Rand: random}), NewBypass(Config{Rand: random})
		sets, passes := newMemory(), newMemory()
		good := make(map[string]bool)
		for _, code := range made(t, fac, sets, "").Codes {
			good[code] = true
		}
		if granted {
			code, err := byp.Grant(passes, noon, noon, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			good[code] = true
		}
		ask := func() factor.Outcome {
			found, err := answer(t, fac, sets, login(sets, noon), text)
			if err == factor.ErrNotMine {
				found, err = answer(t, byp, passes, login(passes, noon), text)
			}
			if err != nil && err != factor.ErrNotMine {
				t.Fatal(err)
			}
			return found.Outcome
		}
		if ask() == factor.Proven {
			code, _ := parse(factor.Secret(text))
			if !good[spell(code)] {
				t.Errorf("%q is accepted", text)
			}
		}
		if ask() == factor.Proven {
			t.Errorf("%q is accepted again", text)
		}
	})
}

// What decodes is sound, and encodes to what decodes to the same.
func FuzzRecord(f *testing.F) {
	m := newMemory()
	made(f, New(Config{Rand: &counting{}}), m, "")
	f.Add("backup-1", m.values["backup-1"])
	b := NewBypass(Config{Rand: &counting{}})
	if _, err := b.Grant(m, noon, noon, time.Hour); err != nil {
		f.Fatal(err)
	}
	for id, v := range m.values {
		f.Add(id, v)
	}
	f.Fuzz(func(t *testing.T, id string, value []byte) {
		r := factor.Record{ID: id, Value: value}
		rs := newMemory()
		if s, err := decodeSet(r); err == nil {
			if err := s.put(rs); err != nil {
				t.Fatal(err)
			}
			again, err := decodeSet(factor.Record{ID: id, Value: rs.values[id]})
			if err != nil || again.left() != s.left() || !bytes.Equal(again.Key, s.Key) {
				t.Errorf("%q became %q: %v", value, rs.values[id], err)
			}
		}
		if k, err := b.tickets.decode(r); err == nil {
			if err := k.put(rs); err != nil {
				t.Fatal(err)
			}
			again, err := b.tickets.decode(factor.Record{ID: id, Value: rs.values[id]})
			if now := at(noon, noon); err != nil || again.state(now) != k.state(now) {
				t.Errorf("%q became %q: %v", value, rs.values[id], err)
			}
		}
	})
}
