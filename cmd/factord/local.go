package main

import (
	"fmt"
	"os"

	"github.com/factord/factord/conf"
	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/fido2"
	"github.com/factord/factord/daemon/factor/hmac"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/piv"
	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/daemon/factor/touch"
)

// localFactors ask keys that are plugged into this machine; device may be nil: then they
// say that they can't. cards are whose attestations are believed.
func localFactors(c *conf.Config, device key.Device, otps factor.SeedKeeper, codes factor.Keeper, cards *proof.Trust) []factor.Factor {
	host, _ := os.Hostname()
	return []factor.Factor{
		touch.New(touch.Config{Device: device, OTP: otps, Code: codes}),
		hmac.New(hmac.Config{Device: device}),
		piv.New(piv.Config{Device: device, Host: host, Trust: cards, Attested: c.PIV.Attested}),
		fido2.New(fido2.Config{Device: device, Host: host, RPID: c.FIDO2.RPID}),
	}
}

// cardTrust is in the certificates of [piv], or in Yubico's.
func cardTrust(c *conf.Config) (*proof.Trust, error) {
	if c.PIV.CAFile == "" {
		return proof.Yubico()
	}
	trust := &proof.Trust{}
	pem, err := readBounded(c.PIV.CAFile, maxRoots)
	if err == nil {
		err = trust.Add(pem)
	}
	if err != nil {
		return nil, fmt.Errorf("ca_file of [piv]: %w\nhint: it is a file with certificates in PEM, which factord can read; left out, Yubico's own are believed", err)
	}
	return trust, nil
}
