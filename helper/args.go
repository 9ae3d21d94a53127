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

const usage = `factor-helper asks factord whether a login may go on.

Usage:
  factor-helper [--socket PATH] pam   [--service NAME]
  factor-helper [--socket PATH] check [--service NAME]

pam    Runs under pam_exec. Who asks, and for what, is in the variables that
       pam_exec sets; PAM_TYPE must be auth or account. With expose_authtok the
       value typed there answers the first question, and further questions are
       cancelled. Without it the questions are put on the terminal that PAM_TTY
       names, if there is one.

         auth required pam_exec.so quiet stdout /usr/libexec/factor-helper pam

check  Asks about the user who runs it, on the terminal: for scripts. Messages
       go to stderr, and stdout stays empty.

         factor-helper check --service deploy && ./deploy

Flags, before or after the verb:
  --socket PATH   factord's socket (default ` + defaultSocket + `)
  --service NAME  the service that factord's rules see: "check" if left out; for
                  pam it counts only when PAM_SERVICE is empty
  -h, --help      this text

At a question Enter sends the answer, Ctrl-U clears it, Ctrl-C cancels.

Exit status:
  0  allowed
  1  denied
  2  called in a wrong way
  3  factord cannot be reached, or is unavailable
Everything that is not 0 is a refusal.
`

// options are the parsed arguments.
type options struct {
	verb, socket, service string
	help                  bool
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
	if o.verb == "" && !o.help {
		return options{}, usageError("a verb is missing: pam or check")
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
	case verb != "pam" && verb != "check":
		return usageError("unknown verb " + strconv.Quote(verb) + ": there are pam and check")
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
