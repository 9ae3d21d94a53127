package operation

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/wire/agent"
)

// What a key says of itself reaches a terminal: nothing in it commands one, and it is short.
func TestVersions(t *testing.T) {
	told := []string{"FIDO_2_1", "\u009b2J", "\x7f", "a b", strings.Repeat("x", 33), "U2F_V2", "ü"}
	if got := versions(told); !slices.Equal(got, []string{"FIDO_2_1", "U2F_V2"}) {
		t.Errorf("%q", got)
	}
	if got := versions(slices.Repeat([]string{"FIDO_2_0"}, 100)); len(got) != maxVersions {
		t.Errorf("%d versions", len(got))
	}
}

// However much keys have to say, a reply has room for it.
func TestFit(t *testing.T) {
	slot := agent.PIVSlot{Slot: "9a", Public: make([]byte, 550)}
	loud := agent.Key{Port: "1-1", Serial: 7, Card: &agent.PIV{Slots: slices.Repeat([]agent.PIVSlot{slot}, 24)}}
	r := agent.KeysReply{Keys: slices.Repeat([]agent.Key{loud}, maxKeys)}
	if err := fit(&r); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r)
	if err != nil || len(text) >= agent.MaxReply || len(r.Keys) != maxKeys || r.Keys[0].Card == nil || r.Keys[maxKeys-1].Serial != 7 || r.Keys[maxKeys-1].Note == "" {
		t.Errorf("%d bytes of %d keys, %v", len(text), len(r.Keys), err)
	}
	small := agent.KeysReply{Keys: []agent.Key{{Port: "1-1", Name: "key"}}}
	if err := fit(&small); err != nil || small.Keys[0].Name != "key" {
		t.Errorf("%+v, %v", small, err)
	}
}
