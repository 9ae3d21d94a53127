package backup

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/factord/factord/daemon/factor"
)

const (
	version   = 1
	maxRecord = 8 << 10 // bytes
)

// unmarshal reads a record completely or not at all.
func unmarshal(value []byte, into any) error {
	if len(value) > maxRecord {
		return errors.New("too long")
	}
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	if d.Decode(into) != nil {
		return errors.New("not a record of this version")
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("trailing data")
	}
	return nil
}

// number is the number in an id such as "backup-3"; 0 if it is none.
func number(id, kind string) uint64 {
	n, err := strconv.ParseUint(strings.TrimPrefix(id, kind+"-"), 10, 32)
	if err != nil || id != kind+"-"+strconv.FormatUint(n, 10) {
		return 0
	}
	return n
}

// nextID is numbered one higher than the highest there is.
func nextID(list []factor.Record, kind string) string {
	n := uint64(0)
	for _, r := range list {
		n = max(n, number(r.ID, kind))
	}
	return kind + "-" + strconv.FormatUint(n+1, 10)
}
