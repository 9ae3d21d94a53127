package touch

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
)

const (
	version = 1
	kind    = "touch"

	// scanMapSize is how many keys of a keyboard a YubiKey knows.
	scanMapSize = 45
	// maxText bounds what a key types: an OTP of 64 characters, with what may stand
	// around it.
	maxText = 80
	minText = 6
)

// link is one record: a YubiKey that types for a token.
type link struct {
	key.Head
	// Token is the record of another factor, and Since when it was made: its id may come
	// again.
	Token string    `json:"token"`
	Since time.Time `json:"token-created"`
	// Length is how much it types.
	Length int `json:"length"`
	// ScanMap is the key's own, if it was changed, in hexadecimal digits.
	ScanMap string `json:"scan-map,omitempty"`
}

// Kind implements record.Entry.
func (k *link) Kind() string { return kind }

// Check implements record.Entry.
func (k *link) Check() error {
	switch {
	case k.Version != version:
		return fmt.Errorf("version %d is unknown", k.Version)
	case k.NoPresence:
		return errors.New("a key that types without a touch")
	case k.Token == "" || k.Since.IsZero():
		return errors.New("no token")
	case k.Length < minText || k.Length > maxText:
		return errors.New("length out of range")
	}
	_, err := parseScanMap(k.ScanMap)
	return err
}

// parseScanMap reads a scan map; empty is the usual one.
func parseScanMap(text string) ([]byte, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 0 && len(b) != scanMapSize {
		return nil, fmt.Errorf("a scan map is of %d hexadecimal digits, as ykpersonalize -S takes it", 2*scanMapSize)
	}
	return b, nil
}

func (k *link) detail() map[string]string {
	d := k.Detail()
	d["token"] = k.Token
	if k.ScanMap != "" {
		d["scan-map"] = "its own"
	}
	return d
}

// holder is the factor that keeps a token.
func (f *Factor) holder(token string) factor.Keeper {
	for _, h := range []factor.Keeper{f.OTP, f.Code} {
		for _, kind := range h.Kinds() {
			if factor.Number(token, kind) > 0 {
				return h
			}
		}
	}
	return nil
}

// tokenOf returns the record that a key types for, if it is still the one.
func (f *Factor) tokenOf(k *link, of func(string) []factor.Record) *factor.Record {
	h := f.holder(k.Token)
	if h == nil {
		return nil
	}
	for _, r := range of(h.Name()) {
		if r.ID != k.Token {
			continue
		}
		if item, err := h.Describe(r); err == nil && item.Created.Equal(k.Since) {
			return &r
		}
	}
	return nil
}

// group are keys that can be listened to at the same time.
type group struct {
	links   []*link
	scanMap []byte
}

// survey is what can be captured in a login.
type survey struct {
	groups    []*group
	guessable bool   // all of it are short codes
	useless   string // why there is none
}

// survey finds out which keys type for something that can be verified. A key with a scan
// map of its own is listened to alone, and those that show no number apart from the rest.
func (f *Factor) survey(ctx context.Context, l factor.Login, links []*link) (*survey, error) {
	s := &survey{guessable: true, useless: textOrphan}
	usual, numberless := &group{}, &group{}
	for _, k := range links {
		token := f.tokenOf(k, l.RecordsOf)
		if token == nil {
			continue
		}
		h := f.holder(k.Token)
		its := l
		its.Records, its.State = []factor.Record{*token}, nil
		o, err := h.Offer(ctx, its)
		if err != nil {
			return nil, err
		}
		if !o.Usable {
			s.useless = textUnproven
			continue
		}
		s.guessable = s.guessable && o.Guessable
		switch {
		case k.ScanMap != "":
		case k.Serial == 0:
			numberless.links = append(numberless.links, k)
			continue
		default:
			usual.links = append(usual.links, k)
			continue
		}
		scanMap, err := parseScanMap(k.ScanMap)
		if err != nil {
			return nil, err
		}
		s.groups = append(s.groups, &group{links: []*link{k}, scanMap: scanMap})
	}
	s.groups = slices.DeleteFunc(append([]*group{usual, numberless}, s.groups...), func(g *group) bool { return len(g.links) == 0 })
	return s, nil
}

// serials are the keys of a group, each once.
func (g *group) serials() (all []uint32) {
	for _, k := range g.links {
		if !slices.Contains(all, k.Serial) {
			all = append(all, k.Serial)
		}
	}
	return all
}

func (g *group) lengths() (all []int) {
	for _, k := range g.links {
		if !slices.Contains(all, k.Length) {
			all = append(all, k.Length)
		}
	}
	return all
}

// name is how the person is told of the keys.
func (g *group) name() string {
	serials := g.serials()
	if len(serials) == 1 {
		return key.Name(serials[0])
	}
	var all []string
	for _, s := range serials {
		all = append(all, strings.TrimPrefix(key.Name(s), "YubiKey "))
	}
	return "YubiKey " + strings.Join(all, " or ")
}

func (g *group) choice() key.Choice {
	what := "touch of " + g.name()
	return key.Choice{Text: what, Enter: "a " + what, Auto: true}
}
