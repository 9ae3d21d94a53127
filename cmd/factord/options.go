package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"

	"github.com/factord/factord/conf"
	"github.com/factord/factord/daemon/device"
)

const usage = `Usage: factord [--config FILE] [--state DIR] [--socket PATH] [--usb-socket PATH]
       factord --init [--state DIR]
       factord --check-config [--config FILE] [--state DIR]
       factord --backup FILE | --restore FILE [--state DIR]
       factord --rekey [--new-key-file FILE] [--state DIR]

factord answers one question for PAM and SSH: may this login go on? It runs in
the foreground, takes its socket from systemd (LISTEN_FDS) or else listens at
--socket, and keeps its state in --state. Its clients are pam_factord.so,
factor-helper and factorctl. The rules are in --config: man factord.toml

  --config FILE    rules and settings (default /etc/factord/factord.toml)
  --state DIR      database and seal key (default /var/lib/factord)
  --socket PATH    where to listen (default /run/factord/factord.sock)
  --usb-socket PATH
                   where factord-usb is asked about keys that are plugged in here
                   (default /run/factord/usb.sock); if nothing is there, and systemd
                   has not started factord, the program beside factord is started
  --init           make an empty database and a seal key, once per machine;
                   a systemd credential "seal-key" is used if there is one
  --check-config   say what is wrong with the configuration and the keys it names,
                   and exit; --state and what is in it are looked at at start
  --version        print which factord this is, and exit
  -h, --help       print this text, and exit

While factord is stopped, as root or as the owner of --state:
  --backup FILE    write the sealed database to a new file, without its key
  --restore FILE   put a backup in the place of the database, which is kept; what
                   may have been used since the backup is void
  --rekey          seal the database with a new key, and forget the old one
  --new-key-file FILE
                   the key for --rekey; made, with mode 0600, if it is not there.
                   Where the key is a credential, this is what it is to become

SIGHUP re-reads the configuration; a bad one is refused and the old one kept.
SIGTERM stops: attempts that are open are refused.

Everything can run in one folder, without root:
  factord --init --state ./s
  factord --config ./factord.toml --state ./s --socket ./f.sock

Exit status: 0 after a clean stop, 1 on an error, 2 on wrong usage.
`

type options struct {
	config, state, socket string
	usbSocket             string
	init, checkConfig     bool
	version               bool
	backup, restore       string
	rekey                 bool
	newKeyFile            string
}

var errUsage = errors.New("usage")

// parse reads the command line.
func parse(args []string, stdout io.Writer) (o options, err error) {
	f := flag.NewFlagSet("factord", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.config, "config", conf.DefaultFile, "")
	f.StringVar(&o.state, "state", "/var/lib/factord", "")
	f.StringVar(&o.socket, "socket", "/run/factord/factord.sock", "")
	f.StringVar(&o.usbSocket, "usb-socket", device.DefaultSocket, "")
	f.BoolVar(&o.init, "init", false, "")
	f.BoolVar(&o.checkConfig, "check-config", false, "")
	f.BoolVar(&o.version, "version", false, "")
	f.StringVar(&o.backup, "backup", "", "")
	f.StringVar(&o.restore, "restore", "", "")
	f.BoolVar(&o.rekey, "rekey", false, "")
	f.StringVar(&o.newKeyFile, "new-key-file", "", "")
	err = f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
	case err != nil:
		err = fmt.Errorf("%w: factord: %v", errUsage, err)
	case f.NArg() > 0:
		err = fmt.Errorf("%w: factord: unexpected argument %q", errUsage, f.Arg(0))
	default:
		err = conflict(f)
	}
	return o, err
}

// modes are the flags that make factord do something else than serve.
var modes = []string{"init", "check-config", "version", "backup", "restore", "rekey"}

// conflict refuses flags that have no meaning together.
func conflict(f *flag.FlagSet) error {
	mode, keyFile := "", false
	var err error
	f.Visit(func(given *flag.Flag) {
		value := given.Value.String()
		flag, _ := given.Value.(interface{ IsBoolFlag() bool })
		switch {
		case err != nil || flag != nil && value == "false":
		case given.Name == "new-key-file":
			keyFile = true
		case !slices.Contains(modes, given.Name):
			return
		case mode != "":
			err = fmt.Errorf("%w: factord: --%s and --%s can't be together", errUsage, mode, given.Name)
		default:
			mode = given.Name
		}
		if err == nil && value == "" {
			err = fmt.Errorf("%w: factord: --%s needs the name of a file", errUsage, given.Name)
		}
	})
	if err == nil && keyFile && mode != "rekey" {
		err = fmt.Errorf("%w: factord: --new-key-file is for --rekey", errUsage)
	}
	return err
}
