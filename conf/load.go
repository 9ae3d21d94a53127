package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// DefaultFile is the configuration of the factord that the units start.
const DefaultFile = "/etc/factord/factord.toml"

// maxSize bounds what is read: a file larger than this is not a configuration.
const maxSize = 1 << 20

// Load reads the configuration at path. It is refused if anybody but root and this process's own user could have written
// it; that is asked of the file that was opened, so that it can't be exchanged in between.
func Load(path string, known Factors) (*Config, error) {
	// Without O_NONBLOCK, opening a fifo would wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, openError(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if err := check(path, info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if len(data) > maxSize {
		return nil, sizeError(path)
	}
	c, err := Parse(path, data, known)
	if err != nil {
		return nil, err
	}
	if err := c.Duo.secretIn(path, info.Mode()); err != nil {
		return nil, err
	}
	return c, nil
}

func openError(err error) error {
	program, _ := os.Executable()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("opening the configuration: %w\nhint: without one nobody can log in; %s", err, sampleHint(program))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("opening the configuration: %w\nhint: %s", err, readableHint(err))
	}
	return fmt.Errorf("opening the configuration: %w", err)
}

// sampleHint says where the sample is that was installed together with program.
func sampleHint(program string) string {
	const below = "share/doc/factord/factord.toml"
	path := filepath.Join(filepath.Dir(filepath.Dir(program)), below)
	if _, err := os.Stat(path); err != nil {
		return "a sample is " + below + ", below where factord was installed"
	}
	return "a sample is " + path
}

// check takes files of root's, of this process's user, and of owners.
func check(path string, info fs.FileInfo, owners ...int) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: not a regular file", path)
	case !ok:
		return fmt.Errorf("%s: can't tell who owns it", path)
	case stat.Uid != 0 && int(stat.Uid) != os.Geteuid() && !slices.Contains(owners, int(stat.Uid)):
		own := ""
		if uid := os.Geteuid(); uid != 0 {
			own = fmt.Sprintf(" or uid %d", uid)
		}
		return fmt.Errorf("%s: owned by uid %d, not by root%s\nhint: chown root %s", path, stat.Uid, own, path)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s: mode %04o lets others than its owner write it\nhint: chmod go-w %s", path, info.Mode().Perm(), path)
	case info.Size() > maxSize:
		return sizeError(path)
	}
	return nil
}

func sizeError(path string) error {
	return fmt.Errorf("%s: larger than %d bytes", path, maxSize)
}
