package main

import (
	"os"

	"github.com/factord/factord/conf"
	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/fido2"
	"github.com/factord/factord/daemon/factor/hmac"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/touch"
)

// localFactors ask keys that are plugged into this machine; device may be nil: then they
// say that they can't.
func localFactors(c *conf.Config, device key.Device, otps factor.SeedKeeper, codes factor.Keeper) []factor.Factor {
	host, _ := os.Hostname()
	return []factor.Factor{
		touch.New(touch.Config{Device: device, OTP: otps, Code: codes}),
		hmac.New(hmac.Config{Device: device}),
		fido2.New(fido2.Config{Device: device, RPID: c.FIDO2.RPID, Host: host}),
	}
}
