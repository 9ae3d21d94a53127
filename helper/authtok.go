package helper

import (
	"bytes"
	"syscall"

	"github.com/factord/factord/daemon/wire"
)

// readAuthtok reads what pam_exec's expose_authtok writes to fd, up to its end.
// Without expose_authtok pam_exec leaves an empty pipe there. Only a pipe is
// read: anything else on stdin belongs to somebody else.
func readAuthtok(w *watch, fd int) (answer []byte, given bool, err error) {
	var st syscall.Stat_t
	if syscall.Fstat(fd, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFIFO {
		return nil, false, nil
	}
	var buf [wire.MaxAnswer + 2]byte // the terminator, and one byte too many
	n := 0
	for n < len(buf) {
		if _, _, err := w.wait(readable(fd), nothing); err != nil {
			clear(buf[:])
			return nil, false, err
		}
		k, err := syscall.Read(fd, buf[n:])
		if err == syscall.EINTR || err == syscall.EAGAIN {
			continue
		}
		if err != nil {
			clear(buf[:])
			return nil, false, err
		}
		if k <= 0 {
			break
		}
		n += k
	}
	return authtok(buf[:n])
}

// authtok is the answer in what was read. Some versions of pam_exec end it with
// a NUL, and a person who tries the program by hand with a newline.
func authtok(p []byte) (answer []byte, given bool, err error) {
	given = len(p) > 0
	answer = p
	if n := len(p) - 1; given && bytes.IndexByte([]byte{0, '\n'}, p[n]) >= 0 {
		answer = p[:n]
	}
	if len(answer) > wire.MaxAnswer {
		clear(p)
		return nil, false, errAuthtok
	}
	return answer, given, nil
}
