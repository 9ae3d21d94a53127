// Command factord-usb touches the keys that are plugged into this machine, for factord
// alone: it is given a connection, does the one operation that is asked for, and ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"os/user"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/hid/libusb"
	"github.com/factord/factord/usb/operation"
)

// version is set by make.
var version = "(unknown)"

const usage = `Usage: factord-usb
       factord-usb --repair | --version | --help

factord-usb asks a security key of this machine for one thing, for factord: the OTP of
a touch, the answer to a challenge, a signature. It is not started by hand: systemd
does it for each connection to factord-usb.socket (Accept=yes), or factord itself where
there is no such socket. The connection is file descriptor 3, and keys that are in use
are locked in the directory that RUNTIME_DIRECTORY names.

  --repair    give keyboards of keys back to the kernel's driver, which a killed
              factord-usb had taken with [usb] backend = "libusb"; as root
  --version   print which factord this belongs to, and exit

Exit status: 0 done, 1 not done, 2 wrong usage.
`

// account is the user who may ask, beside this process's own: factord.
const account = "factord"

// locks names the directory for locks, which systemd or factord has made (RuntimeDirectory=).
const locks = "RUNTIME_DIRECTORY"

// connection is where systemd and factord put it (sd_listen_fds(3)).
const connection = 3

var errUsage = errors.New("usage")

func main() {
	err := run(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "factord-usb: it takes no such arguments\nTry 'factord-usb --help'.")
		os.Exit(2)
	case err != nil:
		fmt.Fprintf(os.Stderr, "factord-usb: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	switch {
	case len(args) == 0:
		return serve()
	case len(args) > 1:
		return errUsage
	}
	switch args[0] {
	case "-h", "--help":
		fmt.Fprint(stdout, usage)
	case "--version":
		fmt.Fprintln(stdout, "factord-usb "+version)
	case "--repair":
		keys := operation.Machine{Locks: os.Getenv(locks)} // by hand perhaps none
		return hid.Hidraw{}.Repair(context.Background(), keys.LockForRepair)
	default:
		return errUsage
	}
	return nil
}

// serve is the life of a process: one operation. When it returns, whatever still hangs
// ends with the process.
func serve() error {
	if err := noCoreDumps(); err != nil {
		return err
	}
	f := os.NewFile(connection, "connection")
	nc, err := net.FileConn(f)
	if err != nil {
		return fmt.Errorf("taking the connection: %w\nhint: systemd or factord starts this program", err)
	}
	f.Close()
	stream, ok := nc.(*net.UnixConn)
	if !ok {
		return errors.New("the connection is no Unix socket")
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	signal.Ignore(unix.SIGPIPE)
	keys := operation.Machine{Hidraw: hid.Hidraw{}, Libusb: libusb.Backend{}, Locks: os.Getenv(locks), Rest: new(sync.WaitGroup),
		Log: func(text string) { fmt.Fprintln(os.Stderr, "factord-usb: "+text) }}
	if keys.Locks == "" {
		return errors.New("RUNTIME_DIRECTORY is not set\nhint: RuntimeDirectory=factord-usb belongs into the unit")
	}
	defer keys.Finish()
	return usb.Config{May: isFactord, Operations: keys}.Serve(ctx, stream)
}

// isFactord reports whether a uid is that of the user factord.
func isFactord(uid uint32) bool {
	u, err := user.Lookup(account)
	return err == nil && u.Uid == strconv.FormatUint(uint64(uid), 10)
}

// noCoreDumps keeps PINs out of files.
func noCoreDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbidding core dumps: %w", err)
	}
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
