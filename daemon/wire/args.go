package wire

import "strings"

// Args are the key=value arguments of one command, decoded. Taking a key
// removes it, so that what is left at the end is what nobody asked for.
type Args map[string]string

// ParseArgs splits s at single spaces into key=value pairs and decodes the
// values. A key is of lower-case letters, digits and '-', and comes once.
func ParseArgs(s string) (Args, error) {
	args := Args{}
	for s != "" {
		var word string
		word, s, _ = strings.Cut(s, " ")
		key, escaped, found := strings.Cut(word, "=")
		if !found || !validKey(key) {
			return nil, ErrKey
		}
		if _, twice := args[key]; twice {
			return nil, ErrKey
		}
		value, err := UnescapeValue(escaped)
		if err != nil {
			return nil, err
		}
		args[key] = value
	}
	return args, nil
}

func validKey(k string) bool {
	for i := 0; i < len(k); i++ {
		c := k[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return k != ""
}

// Take returns the value of key, "" when it was not given, and forgets it.
func (a Args) Take(key string) string {
	v := a[key]
	delete(a, key)
	return v
}

// TakeFlag returns whether key was given as "1"; only "1" is a legal value.
func (a Args) TakeFlag(key string) (bool, error) {
	v, given := a[key]
	delete(a, key)
	if given && v != "1" {
		return false, ErrKey
	}
	return given, nil
}

// Done returns ErrKey if a key is left that nobody took.
func (a Args) Done() error {
	if len(a) > 0 {
		return ErrKey
	}
	return nil
}

// Command joins a verb and its arguments, given as key, value, key, value…;
// pairs with an empty value are left out.
func Command(verb string, pairs ...string) string {
	var b strings.Builder
	b.WriteString(verb)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			b.WriteString(" " + pairs[i] + "=" + Escape(pairs[i+1]))
		}
	}
	return b.String()
}

// Split cuts a line into its verb and the rest.
func Split(line []byte) (verb, rest string) {
	verb, rest, _ = strings.Cut(string(line), " ")
	return verb, rest
}
