package record_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/factordtest/records"
)

// thing is a record of a factor.
type thing struct {
	record.Head
	Value int `json:"value"`
}

func (t *thing) Kind() string { return "thing" }

func (t *thing) Check() error {
	if t.Value < 0 {
		return errors.New("value out of range")
	}
	return nil
}

// put adds a thing under the next number.
func put(t *testing.T, rs factor.Records, name string, value int) *thing {
	t.Helper()
	existing, err := record.List[thing](rs)
	if err != nil {
		t.Fatal(err)
	}
	e := &thing{Head: record.Head{Version: 1, Created: record.Stamp(time.Now())}, Value: value}
	record.Name(e, name, existing)
	if err := errors.Join(record.Check(e), record.Admit(e, existing), record.Put(rs, e)); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestNamesAndNumbers(t *testing.T) {
	rs := &records.Memory{}
	for n := range 11 {
		put(t, rs, "", n)
	}
	rs.Delete("thing-3")
	blue := put(t, rs, "blue", 12)
	all, err := record.List[thing](rs)
	if err != nil || len(all) != 11 || all[0].ID != "thing-1" || all[10].ID != "thing-12" || all[10].Name != "blue" {
		t.Errorf("%+v, %v", all, err)
	}
	var no factor.Refusal
	again := *blue
	if err := record.Admit(&again, all); !errors.As(err, &no) || !strings.Contains(no.Error(), "between") {
		t.Errorf("the same number: %v", err)
	}
	record.Name(&again, "BLUE", all)
	if err := record.Admit(&again, all); !errors.As(err, &no) || !strings.Contains(no.Error(), "thing-12") || again.ID != "thing-13" {
		t.Errorf("the same name: %v", err)
	}
}

func TestWholeOrNotAtAll(t *testing.T) {
	for name, r := range map[string]factor.Record{
		"not JSON":      {ID: "thing-1", Value: []byte("x")},
		"unknown field": {ID: "thing-1", Value: []byte(`{"v":1,"name":"a","value":1,"more":1}`)},
		"id inside":     {ID: "thing-1", Value: []byte(`{"v":1,"name":"a","value":1,"ID":"thing-1"}`)},
		"other kind":    {ID: "thong-1", Value: []byte(`{"v":1,"name":"a","value":1}`)},
		"no number":     {ID: "thing-0", Value: []byte(`{"v":1,"name":"a","value":1}`)},
		"no name":       {ID: "thing-1", Value: []byte(`{"v":1,"value":1}`)},
		"bad value":     {ID: "thing-1", Value: []byte(`{"v":1,"name":"a","value":-1}`)},
	} {
		if e, err := record.Decode[thing](r); err == nil || e != nil {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	rs := &records.Memory{}
	put(t, rs, "", 1)
	put(t, rs, "", 2)
	rs.Put("thing-1", []byte("damaged"))
	if all, err := record.List[thing](rs); err == nil {
		t.Errorf("half a list: %+v", all)
	}
	if _, err := record.Find[thing](rs, "thing-9"); err == nil || !strings.Contains(err.Error(), "hint: factorctl list") {
		t.Errorf("what is not there: %v", err)
	}
	before := rs.Puts
	if err := record.Change(rs, func(e *thing) bool { e.Value += 10; return e.Value == 12 }); err != nil || rs.Puts != before+1 {
		t.Errorf("changed %d: %v", rs.Puts-before, err)
	}
	if e, err := record.Find[thing](rs, "thing-2"); err != nil || e.Value != 12 || string(rs.Values["thing-1"]) != "damaged" {
		t.Errorf("%+v, %v", e, err)
	}
}
