package yubico

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/factor/yubico/ykval"
	"github.com/factord/factord/daemon/factordtest/records"
	"github.com/factord/factord/daemon/factordtest/yksim"
)

func TestSecretsAreChecked(t *testing.T) {
	u := newUser(t, nil)
	const privateID, aesKey = "8792ebfe26cc", "ecde18dbe76fbd0c33330f1c354871db"
	named := map[string]string{"public-id": alicesID}
	for name, try := range map[string]struct {
		options map[string]string
		seed    string
	}{
		"no public id":         {nil, privateID + " " + aesKey},
		"empty public id":      {map[string]string{"public-id": ""}, privateID + " " + aesKey},
		"odd public id":        {map[string]string{"public-id": "ccc"}, privateID + " " + aesKey},
		"public id no modhex":  {map[string]string{"public-id": "abcd"}, privateID + " " + aesKey},
		"long public id":       {map[string]string{"public-id": strings.Repeat("c", 34)}, privateID + " " + aesKey},
		"one secret":           {named, aesKey},
		"three":                {named, privateID + " " + aesKey + " " + aesKey},
		"swapped":              {named, aesKey + " " + privateID},
		"short":                {named, privateID + " " + aesKey[2:]},
		"no hexadecimal":       {named, privateID + " " + strings.Repeat("x", 32)},
		"another option":       {map[string]string{"public-id": alicesID, "digits": "6"}, privateID + " " + aesKey},
		"no secret, no server": {named, ""},
	} {
		err := u.enrollAs(try.options, try.seed, nil)
		if err == nil || strings.Contains(err.Error(), aesKey) || strings.Contains(err.Error(), privateID) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := u.enrollAs(map[string]string{"public-id": strings.ToUpper(alicesID)}, privateID+"\n"+strings.ToUpper(aesKey), nil); err != nil {
		t.Fatal(err)
	}
	u.want("dteffujehknhhknhfjbrjnlnldnhcujvddbikngjrtgh", factor.Proven) // a published OTP, under our id
	if s := fmt.Sprintf("%v %+v %#v", u.key("yubico-1").Local, *u.key("yubico-1").Local, u.key("yubico-1").Local.AESKey); strings.Contains(s, "ecde") || strings.Contains(s, "236") {
		t.Errorf("printed: %s", s)
	}
}

func TestOneKeyOneUser(t *testing.T) {
	alice, alices := keyHolder(t)
	bob := newUser(t, &fakeServers{answer: counted(1, 1)})
	bob.rs.Users = map[string]*records.Memory{"alice": alice.rs}
	var no factor.Refusal
	if err := bob.enroll(alices); !errors.As(err, &no) {
		t.Errorf("with the secrets: %v", err)
	}
	if err := bob.enrollAs(nil, "", factor.Secret(alices.Touch())); !errors.As(err, &no) {
		t.Errorf("with a touch: %v", err)
	}
	if err := bob.enrollAs(map[string]string{"public-id": alicesID}, "", nil); !errors.As(err, &no) {
		t.Errorf("by name: %v", err)
	}
	alices.PublicID = bobsID
	if err := bob.enroll(alices); !errors.As(err, &no) {
		t.Errorf("with the secrets, under another public id: %v", err)
	}
	if len(bob.rs.Values) != 0 {
		t.Errorf("kept: %q", bob.rs.Values)
	}
	alice.rs.Put("yubico-1", []byte("damaged"))
	if err := bob.enroll(yksim.NewKey("vvcccccccccb")); err == nil || errors.As(err, &no) || !strings.Contains(err.Error(), `"yubico-1" of user "alice"`) {
		t.Errorf("beside a damaged record of another user, who may have this key: %v", err)
	}
	blind := struct{ factor.Records }{bob.rs}
	if err := (&key{Head: record.Head{ID: "yubico-9", Version: version, Name: "x"}, PublicID: "cbcb"}).keep(blind, bob.now); err == nil {
		t.Error("kept without a look at the others")
	}
}

func TestSeveralKeys(t *testing.T) {
	u, first := keyHolder(t)
	var no factor.Refusal
	if err := u.enroll(first); !errors.As(err, &no) {
		t.Errorf("twice: %v", err)
	}
	second := yksim.NewKey(bobsID)
	if err := u.enroll(second); err != nil {
		t.Fatal(err)
	}
	u.want(second.Touch(), factor.Proven)
	u.want(first.Touch(), factor.Proven)
	for n := len(u.rs.Values); n < maxKeys; n++ {
		if err := u.enroll(yksim.NewKey("cbcbcbcbcb" + string(modhex[n/16]) + string(modhex[n%16]))); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.enroll(yksim.NewKey("vvvv")); !errors.As(err, &no) {
		t.Errorf("one too many: %v", err)
	}
}

func TestTouchEnrols(t *testing.T) {
	s := &fakeServers{}
	u, k := newUser(t, s), yksim.NewKey(alicesID)
	touch := k.OTP(3, 3)
	for name, try := range map[string]struct {
		first   string
		answer  ykval.Answer
		options map[string]string
	}{
		"no OTP":           {"123456", counted(3, 3), nil},
		"no public id":     {touch[12:], counted(3, 3), nil},
		"odd public id":    {touch[11:], counted(3, 3), nil},
		"unknown":          {touch, ykval.Answer{}, nil},
		"used":             {touch, ykval.Answer{Outcome: ykval.Replayed}, nil},
		"another is meant": {touch, counted(3, 3), map[string]string{"public-id": bobsID}},
	} {
		s.answer = try.answer
		if err := u.enrollAs(try.options, "", factor.Secret(try.first)); !errors.Is(err, factor.ErrFirstCode) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.err = errors.New("out of order")
	if err := u.enrollAs(nil, "", factor.Secret(touch)); !errors.Is(err, factor.ErrUnavailable) {
		t.Errorf("without an answer: %v", err)
	}
	if s.err = nil; u.enrollAs(nil, "", nil) == nil || len(u.rs.Values) != 0 {
		t.Error("enrolled without a touch and a name")
	}
	s.answer = counted(3, 3)
	if err := u.enrollAs(nil, "", factor.Secret(touch)); err != nil {
		t.Fatal(err)
	}
	u.want(touch, factor.Replayed) // the first OTP is spent
	s.answer = counted(3, 4)
	u.want(k.OTP(3, 4), factor.Proven)
}

// What is committed is what the server has said yes to.
func TestCommitTakesOnlyWhatWasChecked(t *testing.T) {
	s := &fakeServers{answer: counted(1, 1)}
	u, k := newUser(t, s), yksim.NewKey(alicesID)
	d, err := u.f.Enroll(factor.Enrolment{User: "alice", Kind: kind, Now: u.now})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(u.rs, factor.Secret(k.Touch()), u.now); !errors.Is(err, factor.ErrFirstCode) {
		t.Errorf("not checked: %v", err)
	}
	if err := d.Check(t.Context(), nil, factor.Secret(k.Touch())); err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(u.rs, factor.Secret(yksim.NewKey(bobsID).Touch()), u.now); !errors.Is(err, factor.ErrFirstCode) {
		t.Errorf("another one was checked: %v", err)
	}
}

func TestDescribe(t *testing.T) {
	u, k := keyHolder(t)
	u.want(k.OTP(19, 17), factor.Proven)
	item, err := u.f.Describe(factor.Record{ID: "yubico-1", Value: u.rs.Values["yubico-1"]})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(item)
	if item.Detail["public-id"] != alicesID || item.Detail["usage"] != "19" || item.Detail["session"] != "17" || !item.Used.Equal(u.now) {
		t.Errorf("%s", text)
	}
	privateID, aesKey := k.Secrets()
	if strings.Contains(string(text), privateID) || strings.Contains(string(text), aesKey) {
		t.Errorf("a secret is shown: %s", text)
	}
}

// Root sees of which keys OTPs from before the enrolment are still good.
func TestFirstOTPIsAwaited(t *testing.T) {
	detail := func(u *user) string {
		t.Helper()
		item, err := u.f.Describe(factor.Record{ID: "yubico-1", Value: u.rs.Values["yubico-1"]})
		if err != nil {
			t.Fatal(err)
		}
		return item.Detail["first-otp"]
	}
	u, k := keyHolder(t)
	if got := detail(u); got != "not seen yet" {
		t.Errorf("enrolled: %q", got)
	}
	u.want(k.OTP(0, 0), factor.Proven)
	if got := detail(u); got != "" {
		t.Errorf("after a login: %q", got)
	}
	if u, _, _ = byServer(t); detail(u) != "" {
		t.Error("a server knows what is spent")
	}
}

func TestRestoredAndResynced(t *testing.T) {
	u, k := keyHolder(t)
	u.want(k.OTP(3, 0), factor.Proven)
	backup := u.rs.Values["yubico-1"]
	spent := k.OTP(4, 7)
	u.want(spent, factor.Proven)
	present, _ := u.rs.List()
	u.rs.Put("yubico-1", backup)
	if err := u.f.Restored(u.rs, present, u.now); err != nil {
		t.Fatal(err)
	}
	u.want(spent, factor.Wrong)
	if found := u.want(k.OTP(9, 0), factor.Wrong); !strings.Contains(found.Log, "factorctl resync yubico-1 --user alice") {
		t.Errorf("log: %q", found.Log)
	}
	for name, pair := range map[string][2]string{
		"none": {"", ""}, "spent": {k.OTP(4, 6), spent}, "one spent": {spent, k.OTP(4, 8)}, "the same": {k.OTP(9, 0), k.OTP(9, 0)},
		"not in a row": {k.OTP(9, 0), k.OTP(9, 2)}, "wrong order": {k.OTP(9, 1), k.OTP(9, 0)}, "over a replug": {k.OTP(9, 255), k.OTP(10, 0)},
		"another key's": {k.OTP(9, 0), yksim.NewKey(alicesID).OTP(9, 1)}, "worn": {k.OTP(0x7fff, 1), k.OTP(0x7fff, 2)},
	} {
		if _, err := u.f.Resync(u.rs, "yubico-1", factor.Secret(pair[0]), factor.Secret(pair[1]), u.now); !errors.Is(err, factor.ErrResync) {
			t.Errorf("%s: %v", name, err)
		}
	}
	offered := func() factor.Offer {
		list, _ := u.rs.List()
		o, err := u.f.Offer(t.Context(), factor.Login{Records: list})
		if err != nil {
			t.Error(err)
		}
		return o
	}
	if o := offered(); !o.Vain || !o.Usable || o.Advice != "yubico-1 has to be resynced: factorctl resync yubico-1" {
		t.Errorf("before it is resynced: %+v", o)
	}
	one, two := k.OTP(4, 8), k.OTP(4, 9)
	if log, err := u.f.Resync(u.rs, "yubico-1", factor.Secret(one), factor.Secret(two), u.now); err != nil || log != `counter of "yubico-1" moved from 4/8 to 4/10` {
		t.Errorf("%q, %v", log, err)
	}
	if o := offered(); o.Vain || o.Advice != "" {
		t.Errorf("resynced: %+v", o)
	}
	u.want(two, factor.Replayed)
	u.want(k.OTP(4, 10), factor.Proven)
	if _, err := u.f.Resync(u.rs, "yubico-7", nil, nil, u.now); err == nil || errors.Is(err, factor.ErrResync) {
		t.Errorf("no such key: %v", err)
	}
}

func TestRestoredByServer(t *testing.T) {
	u, k, s := byServer(t)
	backup := u.rs.Values["yubico-1"]
	s.answer = counted(5, 5)
	u.want(k.OTP(5, 5), factor.Proven)
	present, _ := u.rs.List()
	u.rs.Put("yubico-1", backup)
	if err := u.f.Restored(u.rs, present, u.now); err != nil {
		t.Fatal(err)
	}
	u.want(k.OTP(5, 5), factor.Replayed)
	s.answer = counted(5, 6)
	u.want(k.OTP(5, 6), factor.Proven)
	if _, err := u.f.Resync(u.rs, "yubico-1", nil, nil, u.now); err == nil || errors.Is(err, factor.ErrResync) {
		t.Errorf("resync: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"v":1,"name":"yubico-1","created":"2026-01-01T00:00:00Z","public-id":"cbcb","local":{"private-id":"8792ebfe26cc","aes-key":"ecde18dbe76fbd0c33330f1c354871db"},"next":7}`))
	f.Add([]byte(`{"v":1,"name":"x","created":"2026-01-01T00:00:00Z","public-id":"cbcb","next":0}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		k, err := record.Decode[key](factor.Record{ID: "yubico-1", Value: value})
		if err != nil {
			return
		}
		k.detail()
		if k.Local != nil {
			k.Local.secrets().open([]byte("hknhfjbrjnlnldnhcujvddbikngjrtgh"))
		}
		rs := &records.Memory{}
		if err := record.Put(rs, k); err != nil {
			t.Fatal(err)
		}
		if again, err := record.Decode[key](factor.Record{ID: "yubico-1", Value: rs.Values["yubico-1"]}); err != nil || again.Next != k.Next {
			t.Errorf("%q comes back as %+v, %v", value, again, err)
		}
	})
}
