package main

import (
	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/hmac"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/touch"
)

// localFactors ask keys that are plugged into this machine; device may be nil: then they
// say that they can't.
func localFactors(device key.Device, otps factor.SeedKeeper, codes factor.Keeper) []factor.Factor {
	return []factor.Factor{
		touch.New(touch.Config{Device: device, OTP: otps, Code: codes}),
		hmac.New(hmac.Config{Device: device}),
	}
}
