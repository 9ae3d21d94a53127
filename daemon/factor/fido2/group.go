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
// come in the order in which they were enrolled. Where nobody can type a PIN, those that
// want one don't do.
func serving(l factor.Login) (all []*credential, groups []group, err error) {
	all, err = record.DecodeAll[credential](l.Records)
	for _, c := range all {
		if c.PIN && !l.CanAsk {
			continue
		}
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

// called is how the person is told to touch it.
func (g group) called() string {
	if len(g) == 1 {
		return g.names()
	}
	return "your security key"
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

// queues are where the turn is waited for: at every key that may be used.
func (g group) queues() []string {
	var all []string
	for _, c := range g {
		all = append(all, c.queue())
	}
	return all
}

func (c *credential) queue() string {
	if c.Serial != 0 {
		return key.Queue(c.Serial)
	}
	return fmt.Sprintf("credential %x", c.Credential)
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
