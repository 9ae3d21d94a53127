package duo

import (
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/duo/authapi"
)

// What Duo took before is part of what it may take in all.
func TestOneDeadline(t *testing.T) {
	client, err := authapi.New(authapi.Config{Ikey: "DI", Skey: factor.Secret("x"), Host: "localhost", Deadline: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	f := New(Config{Client: client})
	for took, most := range map[time.Duration]time.Duration{0: 10 * time.Second, 4 * time.Second: 6 * time.Second} {
		for _, a := range []*asking{{f: f, l: factor.Login{State: &standing{took: took}}}, {f: f, took: took}} {
			if left := time.Until(a.end()); left > most || left < most-5*time.Second {
				t.Errorf("%v after %v", left, took)
			}
		}
	}
}
