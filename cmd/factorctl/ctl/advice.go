package ctl

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/factord/factord/cmd/factorctl/dialog"
	"github.com/factord/factord/daemon/wire"
)

// advise adds what can be done about an error that does not say so itself.
func advise(err error) error {
	var refused *wire.Refused
	if !errors.As(err, &refused) || strings.Contains(err.Error(), "\nhint: ") {
		return err
	}
	switch refused.Code {
	case wire.ReasonNotPermitted.Code():
		if os.Geteuid() != 0 {
			return fmt.Errorf("%w\nhint: run it as root", err)
		}
	case wire.ReasonUnavailable.Code(), wire.ReasonInternal.Code():
		return fmt.Errorf("%w\nhint: journalctl -u factord", err)
	}
	return err
}

// blame prefers what went wrong here to what factord made of it.
func blame(d *dialog.Dialog, err error) error {
	if err != nil && d.Err() != nil {
		return d.Err()
	}
	return err
}
