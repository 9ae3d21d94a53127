package duo

import (
	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/duo/authapi"
)

// maxTold bounds what a push shows of a client's own words, in characters.
const maxTold = 100

// pushInfo is what the person sees beside the question. The command is whatever the
// client says, which an attacker chooses: it is marked as such. So is the service, of a
// client that is not root's.
func (f *Factor) pushInfo(l factor.Login) []authapi.Field {
	var all []authapi.Field
	service := "Service"
	if l.ServiceTold {
		service = "Service (as told)"
	}
	for _, field := range []authapi.Field{
		{Name: "Host", Value: plain(f.Host)},
		{Name: service, Value: shortened(l.Service, maxTold)},
		{Name: "Command (as told)", Value: shortened(l.Command, maxTold)},
	} {
		if field.Value != "" {
			all = append(all, field)
		}
	}
	return all
}
