package session

import (
	"context"

	"github.com/factord/factord/daemon/wire"
)

// invited reports whether root has made an invitation for the user that holds.
func (a *attempt) invited() bool {
	return a.Invite.Pending(a.standing.records[inviteScope], a.Clock(), a.Store.Highest())
}

// needsInvitation reports whether the first factor alone does not do.
func (a *attempt) needsInvitation() bool {
	return a.standing.buried || !a.plan.EnrollLogin
}

// askInvitation has the person show root's code, which is spent when the factor is
// kept. Twelve characters are no guess, so no budget counts them.
func (a *attempt) askInvitation(ctx context.Context) (v wire.Verdict, ok bool) {
	a.info("You have no second factor now. To set one up, you need the invitation that your administrator has made.")
	answer, err := a.inquire(wire.Secret, "Invitation code: ", wire.MaxAnswer)
	if err != nil {
		return a.notStarted(ctx, err), false
	}
	a.invite = trim(answer)
	if len(a.invite) == 0 && a.optional() {
		return a.putOff(ctx), false
	}
	holds, err := a.invites(ctx, a.identity, a.invite)
	switch {
	case err != nil:
		return a.refuse(refusal(reasonOf(err), textUnavailable, "looking at the invitation: "+err.Error())), false
	case !holds:
		return a.refuse(refusal(wire.ReasonDenied, "this is no valid invitation: ask your administrator for one (factorctl invite "+a.name()+")", "wrong invitation")), false
	}
	return wire.Verdict{}, true
}

// whyStart is for who needs no invitation: the question for one says it too.
func (a *attempt) whyStart() string {
	if a.optional() {
		return "You have no second factor yet. Set one up now, or skip this and do it another time."
	}
	return "You have no second factor yet, and this login needs one: set it up now."
}
