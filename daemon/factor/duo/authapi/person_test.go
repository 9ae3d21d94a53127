package authapi

import "testing"

func TestNames(t *testing.T) {
	names := Names{Template: "{user}@example.com", Map: map[string]string{"root": "alice", "both": "bob"}, IDs: map[string]string{"svc": "DU1", "both": "DU2"}}
	for user, want := range map[string]Person{
		"carol": {Username: "carol@example.com"}, "root": {Username: "alice"}, "svc": {UserID: "DU1"}, "both": {UserID: "DU2"},
		`CORP\bob smith`: {Username: `CORP\bob smith@example.com`}, "{user}": {Username: "{user}@example.com"},
	} {
		if got := names.Person(user); got != want {
			t.Errorf("%s: %+v, want %+v", user, got, want)
		}
	}
	if got := (Names{}).Person("carol"); got != (Person{Username: "carol"}) {
		t.Errorf("without names: %+v", got)
	}
}
