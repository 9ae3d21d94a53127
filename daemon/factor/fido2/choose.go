package fido2

import (
	"context"
	"strings"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/wire/agent"
)

// only is the security key to enrol: the one with a serial number, if one is named, else
// the only one that is plugged in. "The first" may be another person's.
func (f *Factor) only(ctx context.Context, user string, serial uint32) (agent.Key, error) {
	var reply agent.KeysReply
	a := key.Asking{Device: f.Device, Job: key.Job{Verb: agent.Keys, User: user, For: "enrolment", Wait: -1, Request: &agent.KeysRequest{}, Reply: &reply}}
	if err := a.Run(ctx, func(string) {}); err != nil {
		return agent.Key{}, err
	}
	var fit []agent.Key
	var names []string
	for _, k := range reply.Keys {
		if k.FIDO != nil && (serial == 0 || k.Serial == serial) {
			fit, names = append(fit, k), append(names, describe(k))
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1:
		return agent.Key{}, factor.Refusef("several security keys are plugged in: %s\nhint: --serial names one, or pull out the others", strings.Join(names, ", "))
	case serial != 0:
		return agent.Key{}, factor.Refusef("%s is not plugged in, or has no FIDO2\nhint: factorctl keys shows which are", key.Name(serial))
	}
	text := strings.Join(append([]string{"no security key (FIDO2) is plugged in"}, reply.Notes...), "; ")
	return agent.Key{}, factor.Refusal(text + "\nhint: factorctl keys shows which keys are there, and what each can do")
}

// describe is how the person is told of a key that is plugged in.
func describe(k agent.Key) string {
	switch {
	case k.Serial != 0:
		return key.Name(k.Serial)
	case k.Name != "":
		return k.Name
	}
	return "the security key"
}
