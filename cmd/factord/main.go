// Command factord decides whether a login may go on: it asks the person for a
// second factor and answers allow or deny on a Unix socket.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/factord/factord/daemon"
	"github.com/factord/factord/daemon/store"
)

const usage = `Usage: factord [--config FILE] [--state DIR] [--socket PATH]
       factord --init [--state DIR]
       factord --check-config [--config FILE]

factord answers one question for PAM and SSH: may this login go on? It runs in
the foreground, takes its socket from systemd (LISTEN_FDS) or else listens at
--socket, and keeps its state in --state. Its clients are factor-helper,
pam_factord.so and factorctl.

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

func main() {
	err := run(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, strings.TrimPrefix(err.Error(), errUsage.Error()+": ")+"\nTry 'factord --help'.")
		os.Exit(2)
	case err != nil:
		fmt.Fprintf(os.Stderr, "factord: %v\n", err)
		os.Exit(1)
	}
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

func run(args []string, stdout io.Writer) error {
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	if err := noCoreDumps(); err != nil {
		return err
	}
	switch {
	case o.checkConfig:
		return checkConfig(o, stdout)
	case o.init:
		return initialise(o, stdout)
	}
	return serve(o)
}

// noCoreDumps keeps secrets out of core files and away from debuggers of the
// same uid.
func noCoreDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbidding core dumps: %w", err)
	}
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// initialise makes the state of a new machine.
func initialise(o options, stdout io.Writer) error {
	if err := os.MkdirAll(o.state, 0o700); err != nil {
		return err
	}
	if _, err := os.Lstat(o.state + "/" + store.DatabaseFile); err == nil {
		return store.ErrExists
	}
	key, err := store.ReadKey(o.state, os.Getenv("CREDENTIALS_DIRECTORY"))
	if errors.Is(err, fs.ErrNotExist) {
		key, err = store.MakeKey(o.state)
	}
	if err != nil {
		return err
	}
	if err := store.Init(o.state, key); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "made an empty database in %s\nKeep the seal key apart from backups: without it they can't be opened, with it they can be read.\n", o.state)
	return nil
}

// gcPercent makes collections rarer than Go's default does: the live heap is
// about a megabyte, so that would be some fifty a second under load.
const gcPercent = 300

// serve is the daemon's life.
func serve(o options) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{ReplaceAttr: shorten}))
	debug.SetGCPercent(gcPercent)
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	if uid := os.Getuid(); uid == 0 {
		log.Warn("running as root; as a service factord has a user of its own")
	}
	settings, err := load(o, log)
	if err != nil {
		return err
	}
	key, err := store.ReadKey(o.state, os.Getenv("CREDENTIALS_DIRECTORY"))
	if err != nil {
		return fmt.Errorf("reading the seal key: %w", err)
	}
	db, err := store.Open(store.Config{Dir: o.state, Key: key})
	if err != nil {
		return err
	}
	defer db.Close()
	l, activated, err := daemon.Listen(o.socket)
	if err != nil {
		return err
	}
	server := wire(o, settings, db, log)
	if activated {
		server.IdleExit = settings.conf.Load().Daemon.IdleExit
	}
	go settings.reloadOnHangup(ctx, o, log)
	go daemon.Watchdog(ctx, log, db.Ping)
	daemon.Notify(log, "READY=1")
	log.Info("ready", "socket", l.Addr().String(), "activated", activated)
	err = server.Serve(ctx, l)
	daemon.Notify(log, "STOPPING=1")
	log.Info("stopped")
	return err
}

// shorten leaves the time to the journal when there is one, and drops what is
// empty.
func shorten(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && os.Getenv("JOURNAL_STREAM") != "" || a.Value.Kind() == slog.KindString && a.Value.String() == "" {
		return slog.Attr{}
	}
	return a
}
