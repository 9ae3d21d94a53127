package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// A bbolt file is a run of pages, all in the machine's byte order:
//
//	page     id 8, flags 2, count 2, overflow 4 (pages that belong to it), then count elements
//	branch   element: offset of the key 4, its size 4, page below 8
//	leaf     element: flags 4, offset of the key 4, its size 4, size of the value behind it 4
//	bucket   value of an element of the topmost tree: root page 8, sequence 8; without a
//	         root page a whole leaf page follows
//
// bbolt believes what it finds there. A flipped bit can send it outside the mapped
// file, or round in a circle until the memory is full, which nothing recovers from.
const (
	pageHeader   = 16
	pageElement  = 16
	bucketHeader = 16
	branchPage   = 1
	leafPage     = 2
	bucketValue  = 1
	metaPages    = 2
)

// minPage and maxPage bound the page size of machines.
const (
	minPage = 1 << 10
	maxPage = 1 << 16
)

// pageRef is a page that is to be looked at.
type pageRef struct {
	id  uint64
	top bool // of the tree whose values are buckets
}

// pageWalk looks at each page that is in use exactly once.
type pageWalk struct {
	file  io.ReaderAt
	size  uint64 // of a page
	seen  []bool // by number
	page  []byte // what read returned last
	ahead []pageRef
}

// checkPages reads the pages that tx can reach from a file of length bytes. A page
// that two refer to, or that refers outside itself or the file, is damage.
func checkPages(file io.ReaderAt, length int64, tx *bolt.Tx) error {
	size := tx.DB().Info().PageSize
	if size < minPage || size > maxPage || tx.Size() > length || tx.Size() < 0 {
		return fmt.Errorf("%w: the file is cut short", errDamaged)
	}
	w := pageWalk{file: file, size: uint64(size), seen: make([]bool, tx.Size()/int64(size))}
	w.ahead = append(w.ahead, pageRef{uint64(tx.Cursor().Bucket().Root()), true})
	for len(w.ahead) > 0 {
		next := w.ahead[len(w.ahead)-1]
		w.ahead = w.ahead[:len(w.ahead)-1]
		page, err := w.read(next.id)
		if err != nil {
			return err
		}
		if !w.elements(page, next.top) {
			return fmt.Errorf("%w: page %d is no page of a tree", errDamaged, next.id)
		}
	}
	return nil
}

// read returns a page with those that belong to it, until the next call.
func (w *pageWalk) read(id uint64) ([]byte, error) {
	count := uint64(len(w.seen))
	if id < metaPages || id >= count {
		return nil, fmt.Errorf("%w: there is no page %d", errDamaged, id)
	}
	head := make([]byte, pageHeader)
	if _, err := w.file.ReadAt(head, int64(id*w.size)); err != nil {
		return nil, err
	}
	run := 1 + uint64(binary.NativeEndian.Uint32(head[12:]))
	if binary.NativeEndian.Uint64(head) != id || run > count-id {
		return nil, fmt.Errorf("%w: page %d is another one", errDamaged, id)
	}
	for n := id; n < id+run; n++ {
		if w.seen[n] {
			return nil, fmt.Errorf("%w: page %d has two places", errDamaged, n)
		}
		w.seen[n] = true
	}
	w.page = slices.Grow(w.page[:0], int(run*w.size))[:run*w.size]
	_, err := w.file.ReadAt(w.page, int64(id*w.size))
	return w.page, err
}

// elements reports whether a page holds what it says, and notes the pages below.
func (w *pageWalk) elements(page []byte, top bool) bool {
	kind, n := binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:]))
	if kind != branchPage && kind != leafPage || kind == branchPage && n == 0 || pageHeader+n*pageElement > len(page) {
		return false
	}
	var before []byte
	for i := range n {
		at := pageHeader + i*pageElement
		field := func(n int) uint64 { return uint64(binary.NativeEndian.Uint32(page[at+4*n:])) }
		pos, keySize, valueSize := field(0), field(1), uint64(0)
		if kind == leafPage {
			pos, keySize, valueSize = field(1), field(2), field(3)
		}
		key := uint64(at) + pos
		if key+keySize+valueSize > uint64(len(page)) { // none of them is more than 32 bits
			return false
		}
		name, value := page[key:key+keySize], page[key+keySize:key+keySize+valueSize]
		if i > 0 && bytes.Compare(before, name) >= 0 {
			return false
		}
		before = name
		switch {
		case kind == branchPage:
			w.ahead = append(w.ahead, pageRef{binary.NativeEndian.Uint64(page[at+8:]), top})
		case (field(0) == bucketValue) != top, top && !w.bucket(value):
			return false
		}
	}
	return true
}

// bucket reports whether value is that of a bucket, and notes its root page.
func (w *pageWalk) bucket(value []byte) bool {
	if len(value) < bucketHeader {
		return false
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		w.ahead = append(w.ahead, pageRef{id: root})
		return true
	}
	inline := value[bucketHeader:]
	return len(inline) >= pageHeader && binary.NativeEndian.Uint16(inline[8:]) == leafPage && w.elements(inline, false)
}
