package backup

import (
	"strconv"

	"github.com/factord/factord/daemon/factor"
)

const version = 1

// nextID is numbered one higher than the highest there is.
func nextID(list []factor.Record, kind string) string {
	n := uint64(0)
	for _, r := range list {
		n = max(n, factor.Number(r.ID, kind))
	}
	return kind + "-" + strconv.FormatUint(n+1, 10)
}
