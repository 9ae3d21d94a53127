package backup

import (
	"slices"
	"strings"

	"github.com/factord/factord/daemon/factor"
)

// Reserve implements factor.Reserve: a set of codes.
func (f *Factor) Reserve(l factor.Login) (factor.Spare, error) {
	s, codes, err := f.draft(factor.Enrolment{Kind: kind, Existing: l.Records})
	if err != nil {
		return factor.Spare{}, err
	}
	show := []string{"Backup codes, for when the app is lost. Keep them on paper; they are not shown again."}
	for pair := range slices.Chunk(codes, 2) {
		show = append(show, "  "+strings.Join(pair, "    "))
	}
	return factor.Spare{ID: s.id, Show: show, Commit: func(rs factor.Records) error { return s.commit(rs, nil, l.Now) }}, nil
}
