package wire

import "testing"

func TestCheckSocket(t *testing.T) {
	long := string(make([]byte, 108))
	for path, want := range map[string]bool{"/run/x": true, "./x": true, "": false, "@x": false, long: false, long[:107]: true} {
		if got := CheckSocket(path) == nil; got != want {
			t.Errorf("%.10q…: %v", path, got)
		}
	}
}
