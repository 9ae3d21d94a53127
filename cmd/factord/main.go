// Command factord decides whether a login may go on: it asks the person for a
// second factor and answers allow or deny on a Unix socket.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/factord/factord/conf"
	"github.com/factord/factord/daemon"
	"github.com/factord/factord/daemon/audit"
)

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

func run(args []string, stdout io.Writer) error {
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	if err := noCoreDumps(); err != nil {
		return err
	}
	switch {
	case o.version:
		fmt.Fprintln(stdout, "factord "+conf.Version())
		return nil
	case o.checkConfig:
		return checkConfig(o, stdout)
	case o.init:
		return initialise(o, stdout)
	case o.backup != "":
		return backUp(o, stdout)
	case o.restore != "":
		return restore(o, stdout)
	case o.rekey:
		return rekey(o, stdout)
	}
	return serve(o)
}

// How often garbage is collected. The live heap of few logins is about a megabyte: at
// Go's default that would be some fifty collections a second under load. A crowd that
// waits for its pushes costs some 33 kB each, and what is collected late leaves gaps
// between them that little fits into. Below memoryLimit, in bytes, 3,000 of them leave
// room for the codes of others; it denies nothing.
const (
	gcPercent      = 300
	gcPercentCrowd = 40
	memoryLimit    = 136 << 20
)

// collectFor collects garbage as a crowd needs it, or few.
func collectFor(many bool) {
	if many {
		debug.SetGCPercent(gcPercentCrowd)
		return
	}
	debug.SetGCPercent(gcPercent)
}

// serve is the daemon's life.
func serve(o options) error {
	out := daemon.NewLogWriter(os.Stderr)
	defer out.Close()
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: shorten}))
	collectFor(false)
	debug.SetMemoryLimit(memoryLimit)
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, unix.SIGHUP)
	signal.Ignore(unix.SIGPIPE) // a log that nobody reads any more ends no login
	if uid := os.Getuid(); uid == 0 {
		log.Warn("running as root; as a service factord has a user of its own")
	}
	copies := audit.New(audit.Config{Log: log, Journal: audit.UnderJournal(), State: o.state})
	defer copies.Close()
	settings, err := load(o, copies, log)
	if err != nil {
		return err
	}
	db, err := openStore(o, copies, log)
	if err != nil {
		return err
	}
	defer db.Close()
	copies.CatchUp(db)
	l, activated, err := daemon.Listen(o.socket)
	if err != nil {
		return err
	}
	server := wire(o, settings, db, log)
	if activated {
		server.IdleExit = settings.conf.Load().Daemon.IdleExit
	}
	go settings.reloadOn(ctx, hangup, o, log)
	stopping := sync.OnceFunc(func() { daemon.Notify(log, "STOPPING=1") })
	defer context.AfterFunc(ctx, stopping)()
	go daemon.Watchdog(ctx, log, db.Ping)
	daemon.Notify(log, "READY=1")
	log.Info("ready", "socket", l.Addr().String(), "activated", activated)
	err = server.Serve(ctx, l)
	why := "idle"
	if ctx.Err() != nil {
		why = "signal"
	}
	stopping() // if it was idle and not told to, or has ended before that was said
	log.Info("stopped", "why", why)
	return err
}
