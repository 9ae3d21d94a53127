package key

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/wire/agent"
)

// ParseSerial reads a serial number as it is printed on a key.
func ParseSerial(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("not the serial number of a YubiKey: %q", s)
	}
	return uint32(n), nil
}

// One is the serial number of the key to enrol: the one that was named, if it is plugged
// in, else the only one that is and does what is needed. "The first" may be another
// person's. what names what is needed: "challenge-response". It is looked at in the name
// of the user whose enrolment it is.
func One(ctx context.Context, d Device, user string, named uint32, what string, does func(agent.Key) bool) (uint32, error) {
	return one(ctx, d, user, &agent.KeysRequest{}, named, what, does)
}

// OneCard is One for the keys' PIV application, of whatever key.
func OneCard(ctx context.Context, d Device, user string) (uint32, error) {
	return one(ctx, d, user, &agent.KeysRequest{Cards: true}, 0, "PIV", func(k agent.Key) bool { return k.Card != nil })
}

func one(ctx context.Context, d Device, user string, q *agent.KeysRequest, named uint32, what string, does func(agent.Key) bool) (uint32, error) {
	if d == nil {
		return 0, errNoDevice()
	}
	var reply agent.KeysReply
	a := Asking{Device: d, Job: Job{Verb: agent.Keys, User: user, For: "enrolment", Request: q, Reply: &reply}}
	if err := a.Run(ctx, func(string) {}); err != nil {
		return 0, err
	}
	var fit []uint32
	numberless := false
	for _, k := range reply.Keys {
		switch {
		case !does(k):
		case k.Serial == 0:
			numberless = true
		case named == 0 || k.Serial == named:
			fit = append(fit, k.Serial)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1:
		return 0, factor.Refusef("several YubiKeys are plugged in: %s\nhint: --serial names one, or pull out the others", list(fit))
	case named != 0:
		return 0, factor.Refusef("%s is not plugged in, or has no %s\nhint: factorctl keys shows which are", Name(named), what)
	case numberless:
		return 0, factor.Refusal("the YubiKey shows no serial number, by which it is known again\nhint: its setting serial-api-visible is off; take another key, or set it")
	}
	text := "no YubiKey with " + what + " is plugged in"
	for _, note := range reply.Notes {
		text += "; " + note
	}
	return 0, factor.Refusal(text + "\nhint: factorctl keys shows which are plugged in, and what each can do")
}

func list(serials []uint32) string {
	var all []string
	for _, s := range serials {
		all = append(all, strconv.FormatUint(uint64(s), 10))
	}
	return strings.Join(all, ", ")
}
