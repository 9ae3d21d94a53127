package operation

import (
	"context"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
)

func (m Machine) Create(context.Context, agent.CreateRequest, usb.Talk) (r agent.CreateReply, err error) {
	return
}
func (m Machine) Assert(context.Context, agent.AssertRequest, usb.Talk) (r agent.AssertReply, err error) {
	return
}
