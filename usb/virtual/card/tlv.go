package card

// encode makes a BER-TLV of a tag of one or two bytes.
func encode(tag uint16, parts ...[]byte) []byte {
	var value []byte
	for _, part := range parts {
		value = append(value, part...)
	}
	var out []byte
	if tag > 0xff {
		out = append(out, byte(tag>>8))
	}
	out = append(out, byte(tag))
	switch n := len(value); {
	case n < 0x80:
		out = append(out, byte(n))
	case n <= 0xff:
		out = append(out, 0x81, byte(n))
	default:
		out = append(out, 0x82, byte(n>>8), byte(n))
	}
	return append(out, value...)
}

// decode takes the first BER-TLV, with a tag of one byte, from b.
func decode(b []byte) (tag byte, value, rest []byte, parsed bool) {
	if len(b) < 2 {
		return 0, nil, nil, false
	}
	tag, n, b := b[0], int(b[1]), b[2:]
	switch {
	case n == 0x81 && len(b) >= 1:
		n, b = int(b[0]), b[1:]
	case n == 0x82 && len(b) >= 2:
		n, b = int(b[0])<<8|int(b[1]), b[2:]
	case n >= 0x80:
		return 0, nil, nil, false
	}
	if len(b) < n {
		return 0, nil, nil, false
	}
	return tag, b[:n], b[n:], true
}

// fields decodes all of b. A tag that comes twice is refused.
func fields(b []byte) (map[byte][]byte, bool) {
	all := map[byte][]byte{}
	for len(b) > 0 {
		tag, value, rest, parsed := decode(b)
		if _, twice := all[tag]; !parsed || twice {
			return nil, false
		}
		all[tag], b = value, rest
	}
	return all, true
}

// only decodes b, which must be one TLV with this tag.
func only(tag byte, b []byte) ([]byte, bool) {
	got, value, rest, parsed := decode(b)
	return value, parsed && got == tag && len(rest) == 0
}
