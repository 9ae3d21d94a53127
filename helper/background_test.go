package helper

import "testing"

func TestStatInBackground(t *testing.T) {
	const pts0 = 136 << 8
	tests := []struct {
		stat   string
		device uint64
		want   bool
	}{
		{"7 (sudo) S 6 7 6 34816 7 4194560 1", pts0, false},
		{"7 (sudo) S 6 7 6 34816 6 4194560 1", pts0, true},
		{"7 (sudo) S 6 7 6 34816 6 4194560 1", 0, true},
		{"7 (sudo) S 6 7 6 34816 6 4194560 1", pts0 + 1, false}, // another terminal
		{"7 (a) S 1 1 1 1 1) S 6 7 6 34816 6 0", pts0, true},    // a name with a parenthesis
		{"7 (sshd) S 6 7 6 0 -1 0", pts0, false},                // no terminal
		{"7 (sudo) S 6 7 6 34816 0 0", pts0, false},
		{"7 (sudo) S 6 x 6 34816 6 0", pts0, false},
		{"7 (sudo) S 6", pts0, false},
		{"", pts0, false},
	}
	for _, tt := range tests {
		if got := statInBackground([]byte(tt.stat), tt.device); got != tt.want {
			t.Errorf("%q, %d: %v", tt.stat, tt.device, got)
		}
	}
}

func FuzzStatInBackground(f *testing.F) {
	f.Add([]byte("7 (sudo) S 6 7 6 34816 6 4194560 1"), uint64(34816))
	f.Fuzz(func(_ *testing.T, stat []byte, device uint64) { statInBackground(stat, device) })
}
