package piv

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/daemon/factor/record"
)

func publicKey(t testing.TB, curve elliptic.Curve) []byte {
	t.Helper()
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := proof.NewKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return k.SPKI()
}

// TestRecord: a record that demands less than it should, is none.
func TestRecord(t *testing.T) {
	public := base64.StdEncoding.EncodeToString(publicKey(t, elliptic.P256()))
	weak := base64.StdEncoding.EncodeToString(publicKey(t, elliptic.P384())[1:])
	const attested = `"attested":{"firmware":"5.4.3"},`
	read := func(rest string) error {
		value := fmt.Sprintf(`{"v":1,"name":"piv-1","created":"2026-11-22T12:00:00Z",%s}`, strings.ReplaceAll(rest, "KEY", public))
		_, err := record.Decode[slot](factor.Record{ID: "piv-1", Value: []byte(value)})
		return err
	}
	for _, good := range []string{
		`"serial":1,"slot":"9a","public-key":"KEY","needs-pin":true`,
		`"serial":1,"slot":"9a","public-key":"KEY","no-presence":true`,
		attested + `"serial":1,"slot":"9c","public-key":"KEY","pin":"always","touch":"never","needs-pin":true`,
		attested + `"serial":1,"slot":"9d","public-key":"KEY","pin":"never","touch":"cached","needs-pin":true`,
		attested + `"serial":1,"slot":"9d","public-key":"KEY","pin":"never","touch":"cached","no-presence":true`,
		attested + `"serial":1,"slot":"9e","public-key":"KEY","pin":"never","touch":"never","no-presence":true`,
	} {
		if err := read(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		`"serial":1,"slot":"9a","public-key":"KEY"`,
		`"serial":1,"slot":"9a","needs-pin":true`,
		`"serial":1,"slot":"9a","public-key":"` + weak + `","needs-pin":true`,
		`"slot":"9a","public-key":"KEY","needs-pin":true`,
		`"serial":1,"slot":"f9","public-key":"KEY","needs-pin":true`,
		`"serial":1,"slot":"9a","public-key":"KEY","needs-pin":true,"no-presence":true`,
		`"serial":1,"slot":"9a","public-key":"KEY","pin":"never","touch":"always"`,
		`"serial":1,"slot":"9a","public-key":"KEY","pin":"once","touch":"never","needs-pin":true`,
		`"serial":1,"slot":"9a","public-key":"KEY","needs-pin":true,"more":1`,
		attested + `"serial":1,"slot":"9a","public-key":"KEY","needs-pin":true`,
		attested + `"serial":1,"slot":"9a","public-key":"KEY","pin":"once","touch":"never"`,
		attested + `"serial":1,"slot":"9a","public-key":"KEY","pin":"once","touch":"always"`,
		attested + `"serial":1,"slot":"9a","public-key":"KEY","pin":"never","touch":"never"`,
		attested + `"serial":1,"slot":"9a","public-key":"KEY","pin":"never","touch":"cached"`,
		attested + `"serial":1,"slot":"9a","public-key":"KEY","pin":"never","touch":"always","needs-pin":true`,
		attested + `"serial":1,"slot":"9a","public-key":"KEY","pin":"finger","touch":"always","needs-pin":true`,
		attested + `"serial":1,"slot":"9a","public-key":"KEY","pin":"once","touch":"sometimes","needs-pin":true`,
		`"v":2,"serial":1,"slot":"9a","public-key":"KEY","needs-pin":true`,
	} {
		if err := read(bad); err == nil {
			t.Errorf("taken: %s", bad)
		}
	}
}

// TestKeep: the longest chain that is kept fits into a record, with the longest key; of a
// longer one its hash is.
func TestKeep(t *testing.T) {
	longest := proof.Chain{Slot: make([]byte, maxChain/2), Device: make([]byte, maxChain/2)}
	s := slot{Head: key.Head{Head: record.Head{Version: version, Name: strings.Repeat("ü", factor.MaxName/2)}, Serial: 1<<32 - 1}, Slot: "9a",
		Public: make([]byte, 1<<10), PIN: "always", Touch: "always", NeedsPIN: true, Attested: keep(longest, proof.Firmware{5, 4, 3})}
	text, err := json.Marshal(s)
	if err != nil || len(text) > factor.MaxRecord || !bytes.Equal(s.Attested.Slot, longest.Slot) || s.Attested.Hash != nil {
		t.Errorf("a record of %d bytes, %v", len(text), err)
	}
	longer := proof.Chain{Slot: append(longest.Slot, 1), Device: longest.Device}
	a := keep(longer, proof.Firmware{5, 4, 3})
	if want := sha256.Sum256(append(bytes.Clone(longer.Slot), longer.Device...)); a.Slot != nil || a.Device != nil || !bytes.Equal(a.Hash, want[:]) || a.Firmware != "5.4.3" {
		t.Errorf("kept %+v", a)
	}
}

// FuzzRecord: what is read demands something of a person, or says that it does not, and
// has a key that signs.
func FuzzRecord(f *testing.F) {
	public := base64.StdEncoding.EncodeToString(publicKey(f, elliptic.P256()))
	f.Add([]byte(`{"v":1,"name":"a","created":"2026-11-22T12:00:00Z","serial":1,"slot":"9a","public-key":"` + public + `","needs-pin":true}`))
	f.Add([]byte(`{"v":1,"name":"a","serial":1,"slot":"9e","public-key":"` + public + `","pin":"never","touch":"always","attested":{"firmware":"5.7.1","hash":"AA=="}}`))
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		s, err := record.Decode[slot](factor.Record{ID: "piv-1", Value: value})
		if err != nil {
			return
		}
		if s.public == nil || !s.NeedsPIN && s.Touch != "always" && !s.NoPresence {
			t.Errorf("%+v", s)
		}
		_, _, _ = s.choice(), s.detail(), s.about()
	})
}
