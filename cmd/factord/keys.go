package main

import (
	"context"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/factord/factord/daemon/device"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/wire/agent"
)

// agentAccount is the user that the units run factord-usb as.
const agentAccount = "factord-usb"

// lookTime is how long looking at all keys may take.
const lookTime = 20 * time.Second

// broker is the way to the keys that are plugged in here. Under socket activation only
// systemd starts factord-usb: a child would be locked up with factord, without devices.
func broker(o options, backend func() string) *device.Broker {
	c := device.Config{Socket: o.usbSocket, Backend: backend}
	if _, activated := os.LookupEnv("LISTEN_FDS"); !activated {
		c.Program = agentProgram()
		if state, err := filepath.Abs(o.state); err == nil { // the program begins in another directory
			c.Private = filepath.Join(state, "usb")
		}
	}
	if u, err := user.Lookup(agentAccount); err == nil {
		if uid, err := strconv.ParseUint(u.Uid, 10, 32); err == nil {
			c.Servers = []uint32{uint32(uid)}
		}
	}
	return device.New(c)
}

// agentProgram finds factord-usb beside factord, or where "make install" puts it. If it is at
// neither place, it is looked for beside factord at each use.
func agentProgram() string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	dir := filepath.Dir(self)
	for _, path := range []string{filepath.Join(dir, "factord-usb"), filepath.Join(dir, "../libexec/factord-usb")} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return filepath.Join(dir, "factord-usb")
}

// reach says for the status whether keys that are plugged in here can be asked.
func reach(keys *device.Broker) string {
	how, err := keys.Reach()
	if err != nil {
		return "can't be asked: " + err.Error()
	}
	return "asked by " + how + "; factorctl keys shows them"
}

// plugged looks at all keys.
func plugged(keys key.Device) session.Plugged {
	return func(ctx context.Context, user string) (reply agent.KeysReply, err error) {
		ctx, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		request := &agent.KeysRequest{Cards: true}
		err = keys.Do(ctx, key.Job{Verb: agent.Keys, User: user, Request: request, Reply: &reply, Wait: -1})
		return reply, err
	}
}
