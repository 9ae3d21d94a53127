package touch

import (
	"slices"

	"github.com/factord/factord/daemon/factor"
)

// only are the tokens of a factor that one key may type for: another token of the user's
// is not to be had by it.
type only struct {
	factor.Records
	ids []string
}

// List implements factor.Records.
func (o *only) List() ([]factor.Record, error) {
	list, err := o.Records.List()
	return slices.DeleteFunc(list, func(r factor.Record) bool { return !slices.Contains(o.ids, r.ID) }), err
}

// Get implements factor.Records.
func (o *only) Get(id string) (value []byte, ok bool, err error) {
	if !slices.Contains(o.ids, id) {
		return nil, false, nil
	}
	return o.Records.Get(id)
}
