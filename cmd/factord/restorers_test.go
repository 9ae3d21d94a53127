package main

import (
	"testing"

	"github.com/factord/factord/conf"
	"github.com/factord/factord/daemon/factor"
)

// What no restorer answers for is unreadable after a restore, and its user locked out.
func TestEveryKeeperRestores(t *testing.T) {
	all := restorers()
	for _, f := range factors(&conf.Config{}, nil, nil, nil, nil) {
		if _, keeps := f.(factor.Keeper); keeps && all[f.Name()] == nil {
			t.Errorf("a restore spoils what %s keeps", f.Name())
		}
	}
}
