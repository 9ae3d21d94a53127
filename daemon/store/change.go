package store

import (
	"encoding/binary"

	bolt "go.etcd.io/bbolt"
)

// change is a value as the database keeps it; a nil one is a deletion.
type change struct{ bucket, key, value []byte }

// apply makes changes in their order.
func apply(tx *bolt.Tx, changes []change) error {
	for _, c := range changes {
		b := tx.Bucket(c.bucket)
		if b == nil {
			return errRedo
		}
		var err error
		if c.value == nil {
			err = b.Delete(c.key)
		} else {
			err = b.Put(c.key, c.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A change is its bucket, its key and its value, each after its length; the value's
// is raised by one, and 0 is a deletion. Lengths are varints.

func appendChanges(text []byte, changes []change) []byte {
	for _, c := range changes {
		text = append(binary.AppendUvarint(text, uint64(len(c.bucket))), c.bucket...)
		text = append(binary.AppendUvarint(text, uint64(len(c.key))), c.key...)
		if c.value == nil {
			text = append(text, 0)
			continue
		}
		text = append(binary.AppendUvarint(text, uint64(len(c.value))+1), c.value...)
	}
	return text
}

func decodeChanges(text []byte) (changes []change, err error) {
	r := fieldReader{rest: text}
	for len(r.rest) > 0 {
		c := change{bucket: r.field(r.length()), key: r.field(r.length())}
		if n := r.length(); n > 0 {
			c.value = r.field(n - 1)
		}
		if r.short {
			return nil, errRedo
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// fieldReader cuts fields off a text.
type fieldReader struct {
	rest  []byte
	short bool // there was not enough
}

func (r *fieldReader) length() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.short, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *fieldReader) field(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.short, r.rest = true, nil
		return nil
	}
	field := r.rest[:n:n]
	r.rest = r.rest[n:]
	return field
}
