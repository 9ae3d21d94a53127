package touch

import (
	"strings"
	"testing"
)

// FuzzTyped: whatever a key types, only an OTP has a public id, and only whole.
func FuzzTyped(f *testing.F) {
	f.Add([]byte("dteffujehknhfjbrjnlnldnhcujvddbikngjrtgh"), "")
	f.Add([]byte("kkkncjnvcnenkjvjgncjihljiibgbhbh"), strings.Repeat("06", scanMapSize))
	f.Add([]byte("755224"), "zz")
	f.Fuzz(func(t *testing.T, typed []byte, scanMap string) {
		if id, ok := publicIDOf(typed); ok && (len(id)+tokenSize != len(typed) || !strings.HasPrefix(string(typed), id)) {
			t.Errorf("%q of %q", id, typed)
		}
		if b, err := parseScanMap(scanMap); err == nil && len(b) != 0 && len(b) != scanMapSize {
			t.Errorf("scan map %q: %d bytes", scanMap, len(b))
		}
	})
}
