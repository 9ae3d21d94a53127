package duosim

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// encodeBSON writes a document (bsonspec.org, version 1.1) of texts, 32-bit
// numbers and documents: all that the legacy API has. Nothing here reads BSON.
func encodeBSON(doc fields) []byte {
	b := make([]byte, 4)
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		switch v := doc[name].(type) {
		case string:
			b = append(element(b, 0x02, name), size(len(v)+1)...)
			b = append(append(b, v...), 0)
		case int:
			b = append(element(b, 0x10, name), size(v)...)
		case fields:
			b = append(element(b, 0x03, name), encodeBSON(v)...)
		case map[string]string:
			inner := fields{}
			for k, text := range v {
				inner[k] = text
			}
			b = append(element(b, 0x03, name), encodeBSON(inner)...)
		default:
			// Faults add what the old API never had: as text it does no harm.
			b = append(element(b, 0x02, name), size(len(fmt.Sprint(v))+1)...)
			b = append(append(b, fmt.Sprint(v)...), 0)
		}
	}
	b = append(b, 0)
	copy(b, size(len(b)))
	return b
}

func element(b []byte, kind byte, name string) []byte {
	return append(append(append(b, kind), name...), 0)
}

func size(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(int32(n))) }
