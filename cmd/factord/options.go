package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

const usage = `Usage: factord [--config FILE] [--state DIR] [--socket PATH]
       factord --init [--state DIR]
       factord --check-config [--config FILE]

factord answers one question for PAM and SSH: may this login go on? It runs in
the foreground, takes its socket from systemd (LISTEN_FDS) or else listens at
--socket, and keeps its state in --state. Its clients are factor-helper,
and factorctl.

  --config FILE    rules and settings (default /etc/factord/factord.toml)
  --state DIR      database and seal key (default /var/lib/factord)
  --socket PATH    where to listen (default /run/factord/factord.sock)
  --init           make an empty database and a seal key, once per machine;
                   a systemd credential "seal-key" is used if there is one
  --check-config   say what is wrong with the configuration, and exit

SIGHUP re-reads the configuration; a bad one is refused and the old one kept.
SIGTERM stops: attempts that are open are refused.

Everything can run in one folder, without root:
  factord --init --state ./s
  factord --config ./factord.toml --state ./s --socket ./f.sock

Exit status: 0 after a clean stop, 1 on an error, 2 on wrong usage.
`

type options struct {
	config, state, socket string
	init, checkConfig     bool
}

var errUsage = errors.New("usage")

// parse reads the command line.
func parse(args []string, stdout io.Writer) (o options, err error) {
	f := flag.NewFlagSet("factord", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.config, "config", "/etc/factord/factord.toml", "")
	f.StringVar(&o.state, "state", "/var/lib/factord", "")
	f.StringVar(&o.socket, "socket", "/run/factord/factord.sock", "")
	f.BoolVar(&o.init, "init", false, "")
	f.BoolVar(&o.checkConfig, "check-config", false, "")
	err = f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
	case err != nil:
		err = fmt.Errorf("%w: factord: %v", errUsage, err)
	case f.NArg() > 0:
		err = fmt.Errorf("%w: factord: unexpected argument %q", errUsage, f.Arg(0))
	}
	return o, err
}
