package fido2

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/fido2/assertion"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/factordtest/records"
)

// kept is a record as it is kept, with some fields changed; nil leaves one out.
func kept(t testing.TB, changes map[string]any) []byte {
	t.Helper()
	point, err := hex.DecodeString("0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299")
	if err != nil {
		t.Fatal(err)
	}
	public, err := assertion.NewES256(point)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{
		"v": 1, "name": "blue", "created": "2033-05-18T03:33:30Z", "serial": 7, "rp-id": "factord",
		"credential": []byte("id"), "public-key": public.COSE(), "counter": 4294967295,
	}
	for name, value := range changes {
		if fields[name] = value; value == nil {
			delete(fields, name)
		}
	}
	b, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecords(t *testing.T) {
	many := base64.StdEncoding.EncodeToString(make([]byte, assertion.MaxCredentialID+1))
	for name, test := range map[string]struct {
		changes map[string]any
		ok      bool
	}{
		"as it is":         {nil, true},
		"PIN":              {map[string]any{"pin": true, "protected": true}, true},
		"built-in":         {map[string]any{"uv": true}, true},
		"U2F":              {map[string]any{"u2f": true, "rp-id": "pam://host", "serial": nil}, true},
		"OpenSSH's":        {map[string]any{"rp-id": "ssh:"}, true},
		"another version":  {map[string]any{"v": 2}, false},
		"no version":       {map[string]any{"v": nil}, false},
		"no name":          {map[string]any{"name": nil}, false},
		"no party":         {map[string]any{"rp-id": nil}, false},
		"long party":       {map[string]any{"rp-id": strings.Repeat("x", 256)}, false},
		"strange party":    {map[string]any{"rp-id": "a b"}, false},
		"no credential":    {map[string]any{"credential": nil}, false},
		"long credential":  {map[string]any{"credential": many}, false},
		"no key":           {map[string]any{"public-key": nil}, false},
		"no such key":      {map[string]any{"public-key": []byte("key")}, false},
		"no touch":         {map[string]any{"no-presence": true}, false},
		"U2F with PIN":     {map[string]any{"u2f": true, "pin": true}, false},
		"U2F with finger":  {map[string]any{"u2f": true, "uv": true}, false},
		"U2F, protected":   {map[string]any{"u2f": true, "protected": true}, false},
		"PIN and finger":   {map[string]any{"pin": true, "uv": true}, false},
		"negative counter": {map[string]any{"counter": -1}, false},
		"large counter":    {map[string]any{"counter": 4294967296}, false},
		"large serial":     {map[string]any{"serial": 4294967296}, false},
		"unknown field":    {map[string]any{"verified": true}, false},
	} {
		c, err := record.Decode[credential](factor.Record{ID: "fido2-1", Value: kept(t, test.changes)})
		if (err == nil) != test.ok {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if _, err := record.Decode[credential](factor.Record{ID: "piv-1", Value: kept(t, nil)}); err == nil {
		t.Error("accepted under the id of another factor")
	}
}

// One record that can't be read denies, and what is shown has no secret; there is none.
func TestDamaged(t *testing.T) {
	f := New(Config{RPID: "factord", Host: "desk"})
	l := factor.Login{User: "alice", Wanted: true, Local: true, Records: []factor.Record{{ID: "fido2-1", Value: kept(t, nil)}, {ID: "fido2-2", Value: []byte("{}")}}}
	if o, err := f.Offer(t.Context(), l); err == nil || o.Usable {
		t.Errorf("%+v, %v", o, err)
	}
	l.Records = l.Records[:1]
	if o, err := f.Offer(t.Context(), l); err == nil || o.Usable {
		t.Errorf("without a device: %+v, %v", o, err)
	}
	i, err := f.Describe(l.Records[0])
	if err != nil || i.Mark != "credential 6964" || i.Detail["serial"] != "7" || i.Detail["algorithm"] != "ES256" || i.Detail["rp-id"] != "factord" {
		t.Errorf("%+v, %v", i, err)
	}
	for _, n := range []int{-1, 1, 7} {
		if _, err := f.Choose(t.Context(), l, n); err != factor.ErrNotMine {
			t.Errorf("choice %d: %v", n, err)
		}
	}
	l.Local = false
	if _, err := f.Choose(t.Context(), l, 0); err != factor.ErrNotMine {
		t.Errorf("from elsewhere: %v", err)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(kept(f, nil))
	f.Add(kept(f, map[string]any{"u2f": true}))
	f.Add(kept(f, map[string]any{"pin": true, "protected": true}))
	f.Fuzz(func(t *testing.T, value []byte) {
		c, err := record.Decode[credential](factor.Record{ID: "fido2-1", Value: value})
		if err == nil && (c.RPID == "" || len(c.Credential) == 0 || c.public.Algorithm() == 0 || c.NoPresence) {
			t.Errorf("%+v", c)
		}
	})
}

// A restore takes no counter back.
func TestRestored(t *testing.T) {
	for name, test := range map[string]struct{ backup, present, want float64 }{
		"used since":        {5, 9, 9},
		"an older database": {9, 5, 9},
	} {
		t.Run(name, func(t *testing.T) {
			rs := records.Memory{}
			if err := rs.Put("fido2-1", kept(t, map[string]any{"counter": test.backup})); err != nil {
				t.Fatal(err)
			}
			present := []factor.Record{{ID: "fido2-7", Value: kept(t, map[string]any{"counter": test.present})}, {ID: "fido2-8", Value: []byte("{}")}}
			if err := New(Config{}).Restored(&rs, present, time.Time{}); err != nil {
				t.Fatal(err)
			}
			value, _, _ := rs.Get("fido2-1")
			var got map[string]any
			if err := json.Unmarshal(value, &got); err != nil || got["counter"] != test.want {
				t.Errorf("%v, %v", got["counter"], err)
			}
		})
	}
}
