package main

import (
	"os"

	"github.com/factord/factord/conf"
	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/duo"
	"github.com/factord/factord/daemon/factor/duo/authapi"
)

// duoClient makes the client of [duo]; nil if there is none. Duo is not asked yet: it
// may be down, and other factors work without.
func duoClient(o options, c *conf.Config) (*authapi.Client, error) {
	if c.Duo == nil {
		return nil, nil
	}
	skey, err := c.Duo.ReadSkey(o.config, os.Getenv("CREDENTIALS_DIRECTORY"))
	if err != nil {
		return nil, err
	}
	return authapi.New(authapi.Config{
		Ikey: c.Duo.Ikey, Skey: factor.Secret(skey), Host: c.Duo.Host, Signature: authapi.Signature(c.Duo.Signature),
		CAFile: c.Duo.CAFile, Proxy: c.Duo.Proxy, PreauthTimeout: c.Duo.PreauthTimeout, Deadline: c.Duo.Deadline,
	})
}

func duoFactor(d *conf.Duo, client *authapi.Client) *duo.Factor {
	host, _ := os.Hostname()
	return duo.New(duo.Config{
		Client: client, Host: host, AcceptBypass: d.AcceptBypass,
		Names: authapi.Names{Template: d.Username, Map: d.UserMap, IDs: d.UserIDMap},
	})
}
