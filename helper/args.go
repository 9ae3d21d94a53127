package helper

import (
	"strconv"
	"strings"

	"github.com/factord/factord/daemon/wire"
)

// defaultSocket is where factord listens.
const defaultSocket = "/run/factord/factord.sock"

// options are the parsed arguments.
type options struct {
	verb, socket, service string
	help, version         bool
}

func parseArgs(args []string) (options, error) {
	var o options
	for len(args) > 0 {
		var err error
		if args, err = o.take(args); err != nil {
			return options{}, err
		}
	}
	if o.socket == "" {
		o.socket = defaultSocket
	}
	if o.verb == "" && !o.help && !o.version {
		return options{}, usageError("a verb is missing: pam, ssh or check")
	}
	return o, nil
}

// take parses the first argument, and its value, and returns the rest.
func (o *options) take(args []string) ([]string, error) {
	arg, rest := args[0], args[1:]
	if !strings.HasPrefix(arg, "-") {
		return rest, o.setVerb(arg)
	}
	if arg == "-h" || arg == "--help" {
		o.help = true
		return rest, nil
	}
	if arg == "--version" {
		o.version = true
		return rest, nil
	}
	name, value, joined := strings.Cut(arg, "=")
	field := o.flag(name)
	if field == nil {
		return nil, usageError("unknown flag " + strconv.Quote(name))
	}
	if !joined && len(rest) > 0 {
		value, rest = rest[0], rest[1:]
	}
	switch {
	case value == "":
		return nil, usageError(name + " needs a value")
	case *field != "":
		return nil, usageError(name + " is given twice")
	case name == "--socket":
		if err := wire.CheckSocket(value); err != nil {
			return nil, usageError("--socket " + strconv.Quote(value) + ": " + err.Error())
		}
	}
	*field = value
	return rest, nil
}

func (o *options) flag(name string) *string {
	switch name {
	case "--socket":
		return &o.socket
	case "--service":
		return &o.service
	}
	return nil
}

func (o *options) setVerb(verb string) error {
	switch {
	case verb == "help" && o.verb == "":
		o.help = true
		return nil
	case verb != "help" && verb != "pam" && verb != "ssh" && verb != "check":
		return usageError("unknown verb " + strconv.Quote(verb) + ": there are pam, ssh and check")
	case o.verb != "":
		return usageError("one verb too many: " + strconv.Quote(verb))
	}
	o.verb = verb
	return nil
}
