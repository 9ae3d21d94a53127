package yubico

import "strings"

// modhex has a character for each value of four bits, the high ones of a byte
// first. They are those that most keyboard layouts have in the same place.
const modhex = "cbdefghijklnrtuv"

// appendModhex appends src as it is typed.
func appendModhex(dst, src []byte) []byte {
	for _, b := range src {
		dst = append(dst, modhex[b>>4], modhex[b&15])
	}
	return dst
}

// decodeModhex returns the bytes that text stands for, in lower case and whole or
// not at all.
func decodeModhex(text []byte) ([]byte, bool) {
	if len(text)%2 != 0 {
		return nil, false
	}
	decoded := make([]byte, len(text)/2)
	for i, c := range text {
		v := strings.IndexByte(modhex, c)
		if v < 0 {
			return nil, false
		}
		decoded[i/2] |= byte(v) << (4 * (1 - i%2))
	}
	return decoded, true
}
