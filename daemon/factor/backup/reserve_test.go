package backup

import (
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
)

func TestReserve(t *testing.T) {
	f, m := New(Config{}), newMemory()
	spare, err := f.Reserve(factor.Login{User: "alice", Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	if list, _ := m.List(); len(list) != 0 {
		t.Fatalf("kept before it is to be: %v", list)
	}
	if err := spare.Commit(m); err != nil {
		t.Fatal(err)
	}
	codes := strings.Fields(strings.Join(spare.Show[1:], " "))
	if spare.ID != "backup-1" || len(codes) != setSize {
		t.Fatalf("%+v", spare)
	}
	list, _ := m.List()
	for _, code := range codes {
		claim, err := f.Verify(t.Context(), factor.Login{Now: noon, Records: list}, factor.Secret(code))
		if err != nil {
			t.Fatalf("%s: %v", code, err)
		}
		if finding, err := claim.Settle(m); err != nil || finding.Outcome != factor.Proven {
			t.Errorf("%s: %+v, %v", code, finding, err)
		}
	}
}
