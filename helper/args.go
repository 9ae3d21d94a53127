package helper

import (
	"strconv"
	"strings"
)

// defaultSocket is where factord listens.
const defaultSocket = "/run/factord/factord.sock"

// maxSocketPath is the longest path of a Unix socket in Linux (unix(7)), its
// final NUL not counted.
const maxSocketPath = 107

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
		if err := checkSocket(value); err != nil {
			return nil, err
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

// checkSocket refuses what the kernel would not read as a path: a leading @ is
// an abstract socket to package syscall, which any user may have made.
func checkSocket(path string) error {
	switch {
	case path[0] == '@':
		return usageError("--socket takes a path, not an abstract socket")
	case len(path) > maxSocketPath:
		return usageError("--socket takes at most 107 bytes")
	}
	return nil
}
