package fido2

import (
	"fmt"
	"slices"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/wire/agent"
)

// group are credentials on the same terms: whichever key is plugged in that has one of
// them, will do.
type group []*credential

// serving are the credentials that do for a login, in groups, which are its choices. They
// come in the order in which they were enrolled.
func serving(l factor.Login) (all []*credential, groups []group, err error) {
	all, err = record.DecodeAll[credential](l.Records)
	for _, c := range all {
		n := slices.IndexFunc(groups, func(g group) bool { return g[0].terms() == c.terms() })
		if n < 0 {
			groups = append(groups, group{c})
			continue
		}
		groups[n] = append(groups[n], c)
	}
	return all, groups, err
}

// names tells the person which key is meant.
func (g group) names() string {
	if len(g) == 1 {
		return "security key " + g[0].Name
	}
	return "one of your security keys"
}

func (g group) choice() key.Choice {
	what := "touch of " + g.names()
	if g[0].PIN {
		what = "PIN and " + what
	}
	return key.Choice{Text: what, Enter: "a " + what, Auto: !g[0].PIN}
}

// find is the credential of the group with an id.
func (g group) find(id []byte) *credential {
	n := slices.IndexFunc(g, func(c *credential) bool { return slices.Equal(c.Credential, id) })
	if n < 0 {
		return nil
	}
	return g[n]
}

// queue is whose turn is waited for. While it is not known which key will be used, nobody
// is: factord-usb itself lets one process at a time have a key.
func (g group) queue() string {
	switch {
	case len(g) > 1:
		return ""
	case g[0].Serial != 0:
		return key.Queue(g[0].Serial)
	}
	return fmt.Sprintf("credential %x", g[0].Credential)
}

// request asks for an assertion by one of the group.
func (g group) request(clientHash []byte) *agent.AssertRequest {
	t := g[0].terms()
	q := &agent.AssertRequest{RPID: t.rpID, ClientHash: clientHash, UP: true, UV: t.uv, NeedsPIN: t.pin}
	for _, c := range g {
		q.Credentials = append(q.Credentials, c.wanted())
	}
	return q
}
