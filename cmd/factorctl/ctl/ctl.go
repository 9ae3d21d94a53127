// Package ctl is factorctl: each verb asks factord one thing and says what came
// of it, to a person or, with --json, to a program.
//
// It decides nothing and reads no state: who may do what is factord's to say,
// by the uid that the kernel names. What factord sends is text that others may
// have chosen (names of users and tokens, client addresses), so all of it goes
// through wire.Printable on its way to the terminal.
package ctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/factord/factord/cmd/factorctl/client"
	"github.com/factord/factord/cmd/factorctl/dialog"
	"github.com/factord/factord/daemon/wire"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // refused, or not possible
	exitUsage  = 2
)

// Config is what a run takes from its process.
type Config struct {
	Args                  []string // without the program's name
	Stdin, Stdout, Stderr *os.File
}

// app is one run.
type app struct {
	Config
	socket  string
	json    bool
	running bool // a verb has begun: what goes wrong from here on is not usage
}

// errInterrupted is the cause with which a signal ends a run.
var errInterrupted = errors.New("interrupted")

// Run does what the arguments say and returns the exit status.
func Run(c Config) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	go func() {
		<-signals
		signal.Stop(signals) // a second one ends factorctl at once
		cancel(errInterrupted)
	}()
	a := &app{Config: c}
	root := a.root()
	called := root
	args, err := verbFirst(root, c.Args)
	if err == nil {
		root.SetArgs(args)
		called, err = root.ExecuteContextC(ctx)
	}
	return a.finish(called, err)
}

// usageError is a fault in how factorctl was called.
type usageError string

func (e usageError) Error() string { return string(e) }

func usagef(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

// finish says what went wrong, if anything did.
func (a *app) finish(called *cobra.Command, err error) int {
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage) || !a.running:
		fmt.Fprintf(a.Stderr, "factorctl: %s\nhint: %s --help\n", strings.TrimSpace(inWords(err)), called.CommandPath())
		return exitUsage
	}
	fmt.Fprintf(a.Stderr, "factorctl: %v\n", advise(err))
	return exitFailed
}

// inWords is the text of err, in which strconv's stands in a user's words.
func inWords(err error) string {
	var number *strconv.NumError
	if !errors.As(err, &number) {
		return err.Error()
	}
	says := "no whole number"
	if errors.Is(number, strconv.ErrRange) {
		says = "too large"
	}
	return strings.Replace(err.Error(), number.Error(), says, 1)
}

// does gives cmd its work.
func (a *app) does(cmd *cobra.Command, work func(ctx context.Context, args []string) error) *cobra.Command {
	cmd.DisableFlagsInUseLine = true
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := wire.CheckSocket(a.socket); err != nil {
			return usagef("--socket %q: %v", a.socket, err)
		}
		if user := cmd.Flags().Lookup("user"); user != nil && user.Changed && user.Value.String() == "" {
			return usagef("--user is empty: leave it out, or name somebody") // an unset variable, say
		}
		a.running = true
		return work(cmd.Context(), args)
	}
	if cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	return cmd
}

func (a *app) client() client.Client { return client.Client{Socket: a.socket} }

// dialog speaks with whoever runs this; the caller closes it.
func (a *app) dialog(ctx context.Context) *dialog.Dialog { return dialog.New(ctx, a.Stdin, a.Stderr) }
