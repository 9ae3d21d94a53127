package client

import "testing"

func TestTrusted(t *testing.T) {
	factord := func() (uint32, bool) { return 990, true }
	none := func() (uint32, bool) { return 0, false }
	for _, test := range []struct {
		name        string
		server, own uint32
		lookup      func() (uint32, bool)
		want        bool
	}{
		{"root serves root", 0, 0, none, true},
		{"root serves a user", 0, 1000, none, true},
		{"factord serves root", 990, 0, factord, true},
		{"factord serves a user", 990, 1000, factord, true},
		{"a user serves themself", 1000, 1000, none, true},
		{"a user serves another", 1001, 1000, factord, false},
		{"a user serves root", 1000, 0, factord, false},
		{"there is no user factord", 990, 1000, none, false},
	} {
		if got := trusted(test.server, test.own, test.lookup); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
