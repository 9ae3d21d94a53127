package policy

// maxUser is the longest user name, in bytes.
const maxUser = 256

// ValidUser reports whether name can be a user's: 1 to 256 bytes, an ASCII
// letter, digit, '_' or '.' first, then also '@',
// '\', '-' and inner spaces, and an optional final '$'.
func ValidUser(name string) bool {
	if name == "" || len(name) > maxUser {
		return false
	}
	for i, r := range name {
		last := i == len(name)-1
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '.':
		case i > 0 && (r == '@' || r == '\\' || r == '-'):
		case i > 0 && !last && r == ' ':
		case i > 0 && last && r == '$':
		default:
			return false
		}
	}
	return name != "." && name != ".."
}
