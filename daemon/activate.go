package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	sd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/factord/factord/daemon/wire"
)

// socketMode lets everybody connect: who may ask what is decided by the peer's
// credentials.
const socketMode = 0o666

// Listen returns the socket that systemd passed, or else makes one at path.
func Listen(path string) (l *net.UnixListener, activated bool, err error) {
	files := activation.Files(true)
	if len(files) == 0 {
		l, err = listen(path)
		return l, false, err
	}
	for _, f := range files[1:] {
		f.Close()
	}
	defer files[0].Close()
	passed, err := net.FileListener(files[0])
	if err != nil {
		return nil, true, fmt.Errorf("taking the socket from systemd: %w", err)
	}
	unix, ok := passed.(*net.UnixListener)
	if !ok || len(files) > 1 {
		passed.Close()
		return nil, true, errors.New("systemd passed something else than one Unix socket\nhint: factord.socket needs exactly one ListenStream= with a path")
	}
	return unix, true, nil
}

// listen makes the socket, and replaces one that nobody listens at any more.
func listen(path string) (*net.UnixListener, error) {
	if err := wire.CheckSocket(path); err != nil {
		return nil, fmt.Errorf("listening at %q: %w\nhint: give another --socket", path, err)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSocket == 0:
		return nil, fmt.Errorf("%s is there and is no socket\nhint: give another --socket", path)
	default:
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			c.Close()
			return nil, fmt.Errorf("somebody listens at %s already\nhint: stop the other factord, or give another --socket", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("replacing a stale socket: %w", err)
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	if err := os.Chmod(path, socketMode); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Notify tells systemd a state, "READY=1" say. Without systemd it does nothing.
func Notify(log *slog.Logger, state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		log.Warn("telling systemd", "state", state, "error", err)
	}
}

// Watchdog feeds systemd's watchdog, if there is one, for as long as healthy
// returns nil. A daemon that can't answer is better restarted.
func Watchdog(ctx context.Context, log *slog.Logger, healthy func(context.Context) error) {
	interval, err := sd.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		check, cancel := context.WithTimeout(ctx, interval/4)
		err := healthy(check)
		cancel()
		if err != nil {
			log.Error("not feeding the watchdog", "error", err)
			continue
		}
		Notify(log, sd.SdNotifyWatchdog)
	}
}
