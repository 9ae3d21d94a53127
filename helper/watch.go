package helper

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// watch is what ends an attempt from outside: its deadline, the parent's death,
// the client's going, a signal. Every wait of this package goes through it.
type watch struct {
	deadline time.Time
	// greeting is when factord must have greeted; zero: it has. Behind a
	// socket whose factord can't start there is nobody who ever would.
	greeting time.Time
	grace    time.Duration
	// cancelled: the person has ended the attempt, and the deadline only gives
	// factord time to say so.
	cancelled bool
	parent    int // pidfd; -1: followed by PR_SET_PDEATHSIG
	signals   int // eventfd; -1: signals kill as they do by default
	// client is what sshd reads of a session; its hang-up is the only word of a
	// client that is killed where there is no terminal, and where a shell that
	// waits for its command (dash) stays between sshd and this process. Not
	// stderr: of a subsystem sshd closes it at once.
	client  int // -1: not followed
	release func()
}

// cancelGrace is how long factord has to answer a cancelled inquiry with its
// own reason.
const cancelGrace = 100 * time.Millisecond

// newWatch starts the deadline and follows the parent.
func newWatch(deadline, grace time.Duration) (*watch, error) {
	w := &watch{deadline: time.Now().Add(deadline), grace: grace, parent: -1, signals: -1, client: -1}
	return w, w.followParent()
}

// sysPidfdOpen is the same on all architectures; package syscall is older.
const sysPidfdOpen = 434

// followParent arranges that the parent's death ends the attempt. pam_exec does
// not end its child, so that without this the prompt of a closed terminal, or a
// push, would outlive the login that wanted it.
func (w *watch) followParent() error {
	parent := syscall.Getppid()
	fd, _, errno := syscall.RawSyscall(sysPidfdOpen, uintptr(parent), 0, 0)
	if errno == 0 {
		w.parent = int(fd)
	} else {
		// Before Linux 5.3, or under a seccomp filter. The kernel forgets this
		// request when the thread that made it ends.
		runtime.LockOSThread()
		_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0)
	}
	if syscall.Getppid() != parent {
		return errParent // it ended in between, and its pid may be another's now
	}
	return nil
}

// catchSignals turns ending signals into errSignal, so that a terminal gets its
// settings back. A SIGHUP that is ignored (nohup) stays so.
func (w *watch) catchSignals() error {
	fd, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if errno != 0 {
		return errno
	}
	w.signals = int(fd)
	ch, done := make(chan os.Signal, 1), make(chan struct{})
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		if !signal.Ignored(s) {
			signal.Notify(ch, s)
		}
	}
	go func() {
		defer close(done)
		for range ch {
			_, _ = syscall.Write(w.signals, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		}
	}()
	w.release = func() { signal.Stop(ch); close(ch); <-done }
	return nil
}

// cancel ends the attempt after the grace.
func (w *watch) cancel() {
	w.cancelled = true
	if end := time.Now().Add(w.grace); end.Before(w.deadline) {
		w.deadline = end
	}
}

// extend gives an attempt that nobody has cancelled more time.
func (w *watch) extend(d time.Duration) {
	if !w.cancelled {
		w.deadline = w.deadline.Add(d)
	}
}

// wait blocks until a or b is ready, and returns what poll(2) says of each.
func (w *watch) wait(a, b pollFd) (int16, int16, error) {
	for {
		left := time.Until(w.end())
		if left <= 0 {
			return 0, 0, w.expired()
		}
		if ra, rb, err := w.poll(a, b, left); err != nil || ra|rb != 0 {
			return ra, rb, err
		}
	}
}

// pause waits for d, or for less.
func (w *watch) pause(d time.Duration) error {
	if time.Until(w.end()) <= 0 {
		return w.expired()
	}
	_, _, err := w.poll(nothing, nothing, d)
	return err
}

func (w *watch) poll(a, b pollFd, timeout time.Duration) (int16, int16, error) {
	fds := [...]pollFd{a, b, readable(w.parent), readable(w.signals), hungUp(w.client)}
	err := ppoll(fds[:], timeout)
	switch {
	case err != nil:
		return 0, 0, err
	case fds[2].revents != 0:
		return 0, 0, errParent
	case fds[3].revents != 0:
		return 0, 0, errSignal
	case fds[4].revents != 0:
		return 0, 0, errClient
	}
	return fds[0].revents, fds[1].revents, nil
}

// end is when the present wait is over.
func (w *watch) end() time.Time {
	if !w.greeting.IsZero() && w.greeting.Before(w.deadline) {
		return w.greeting
	}
	return w.deadline
}

func (w *watch) expired() error {
	switch {
	case w.cancelled:
		return errCancelled
	case w.end() != w.deadline:
		return errSilent
	}
	return errDeadline
}

func (w *watch) close() {
	if w.release != nil {
		w.release()
		_ = syscall.Close(w.signals)
	}
	if w.parent >= 0 {
		_ = syscall.Close(w.parent)
		return
	}
	// What became a session must not end with the shell that began it.
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, 0, 0)
	runtime.UnlockOSThread()
}
