package audit

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/factord/factord/daemon/store"
)

// fileMode of a file that factord makes. One that is there may be wider: it may
// not be writable by others.
const fileMode = 0o600

// file is a file of JSON lines, each as the record stands in the database. A
// line is one write to a file opened for appending.
type file struct {
	path  string
	state string   // see Config.State
	open  *os.File // nil: not open
	info  fs.FileInfo
	torn  bool // the file does not end with the end of a line
	line  []byte
}

// put implements sink. A write that comes to an end half way (a full disk) is
// taken back. Where that can't be done, or factord was killed in the middle of
// it, the next line begins after a line end of its own.
func (f *file) put(r store.Record, _ time.Time) error {
	if err := f.follow(); err != nil {
		return err
	}
	f.line = f.line[:0]
	if f.torn {
		f.line = append(f.line, '\n')
	}
	f.line = append(append(f.line, r.Text...), '\n')
	n, err := f.open.Write(f.line)
	if err == nil {
		f.torn = false
		return nil
	}
	if n > 0 {
		f.open.Truncate(f.info.Size()) // may fail: follow looks at the end
	}
	f.close()
	return err
}

// follow opens the file unless what is open is still what the path names:
// logrotate renames it.
func (f *file) follow() error {
	info, err := os.Lstat(f.path)
	if f.open != nil && err == nil && os.SameFile(info, f.info) {
		f.info = info
		return f.check()
	}
	f.close()
	if err := f.apart(); err != nil {
		return err
	}
	// Not through a link, nor waiting for the reader of a FIFO; readable, to
	// see how it ends.
	f.open, err = os.OpenFile(f.path, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, fileMode)
	if err != nil {
		f.open = nil
		return fmt.Errorf("%w\nhint: the folder must be there, the disk not full, and factord's user may write there; it may be no symbolic link", err)
	}
	if f.info, err = f.open.Stat(); err == nil {
		err = f.check()
	}
	if err == nil {
		err = f.lookAtEnd()
	}
	if err != nil {
		f.close()
	}
	return err
}

// apart refuses a file in factord's own folder, by whatever way it gets there.
func (f *file) apart() error {
	state, err := os.Stat(f.state)
	if err != nil {
		return nil // there is none
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(f.path))
	if err != nil {
		return nil // opening it says what is wrong
	}
	for {
		if here, err := os.Stat(dir); err == nil && os.SameFile(here, state) {
			return fmt.Errorf("%s is in %s, which has factord's own state\nhint: write file = \"/var/log/factord/audit.jsonl\", say", f.path, f.state)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// check refuses a file that others could have written, or could write.
func (f *file) check() error {
	owner := f.info.Sys().(*syscall.Stat_t).Uid
	if !f.info.Mode().IsRegular() || f.info.Mode().Perm()&0o022 != 0 || owner != 0 && owner != uint32(os.Geteuid()) {
		return fmt.Errorf("%s: mode is %v, owner is uid %d; it must be a regular file that only root or factord's user can write\nhint: chown and chmod 600 it after looking who could have changed it", f.path, f.info.Mode(), owner)
	}
	return nil
}

func (f *file) lookAtEnd() error {
	f.torn = false
	if f.info.Size() == 0 {
		return nil
	}
	var last [1]byte
	_, err := f.open.ReadAt(last[:], f.info.Size()-1)
	f.torn = last[0] != '\n'
	return err
}

// close implements sink.
func (f *file) close() {
	if f.open != nil {
		f.open.Close()
		f.open = nil
	}
}
