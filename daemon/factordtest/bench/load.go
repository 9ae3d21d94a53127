package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// client is a bare client of the socket: blocking system calls, as the PAM
// module makes them, and no parsing beyond what it needs, so that what is
// measured is factord.
type client struct {
	socket string
	code   func(user int) (name, code string)
	asks   string // of AUTH, behind the user; empty: asking, and the code is the answer
}

const asking = "service=bench conv=prompt"

var errRefused = errors.New("refused")

// login makes one whole attempt: connect, question, answer, verdict.
func (c *client) login(name, code string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	limit := unix.NsecToTimeval(int64(clientTime))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: c.socket}); err != nil {
		return err
	}
	var buf [1024]byte
	asks := c.asks
	if asks == "" {
		asks = asking
	}
	for say := "AUTH user=" + name + " " + asks + "\n"; ; say = "D " + code + "\nEND\n" {
		heard, err := hear(fd, buf[:])
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(heard, "S VERDICT allow"):
			return nil
		case strings.HasPrefix(heard, "S VERDICT"):
			return fmt.Errorf("%w: %s", errRefused, heard)
		}
		if err := tell(fd, say); err != nil {
			return err
		}
	}
}

// tell sends one turn.
func tell(fd int, say string) error {
	_, _, e := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.StringData(say))), uintptr(len(say)))
	if e != 0 {
		return e
	}
	return nil
}

// clientTime bounds the wait for each line.
const clientTime = 30 * time.Second

// hear returns what factord says at once; it sends each of its turns whole. The
// raw call blocks the thread, as it does in a C program, and spares the work of
// Go's scheduler, which would be counted as factord's.
func hear(fd int, buf []byte) (string, error) {
	for {
		n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
		switch {
		case e == unix.EINTR:
			continue
		case e != 0:
			return "", e
		case n == 0:
			return "", io.ErrUnexpectedEOF
		}
		return string(buf[:n]), nil
	}
}

// sample is what one run of a load measured.
type sample struct {
	times  []time.Duration
	took   time.Duration
	errors int
	first  error // of the outcomes that were not due
}

func (s *sample) measured() *sample { return s }

func (s *sample) p50() time.Duration { return s.at(50) }

// at is the time that so many per cent stay below.
func (s *sample) at(percent int) time.Duration {
	slices.Sort(s.times)
	return s.times[len(s.times)*percent/100]
}

func (s *sample) rate() float64 { return float64(len(s.times)) / s.took.Seconds() }

// run makes n attempts over width connections at a time. Each worker is another
// user, so that no budget and no token is shared; the codes are made before the
// clock runs.
func (c *client) run(width, n int, want func(error) bool) *sample {
	runtime.GC() // none may come while threads are blocked in hear
	names, codes := make([]string, width), make([][]string, width)
	for w := range width {
		for range n / width {
			name, code := c.code(w)
			names[w], codes[w] = name, append(codes[w], code)
		}
	}
	var wg sync.WaitGroup
	parts := make([]sample, width)
	begin := time.Now()
	for w := range width {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for _, code := range codes[w] {
				t := time.Now()
				if err := c.login(names[w], code); !want(err) {
					parts[w].errors++
					parts[w].first = fmt.Errorf("%v", err)
				}
				parts[w].times = append(parts[w].times, time.Since(t))
			}
		}()
	}
	wg.Wait()
	s := &sample{took: time.Since(begin)}
	for _, part := range parts {
		s.gather(&part)
	}
	return s
}

func (s *sample) gather(part *sample) {
	s.times = append(s.times, part.times...)
	s.took += part.took
	if s.errors += part.errors; part.first != nil {
		s.first = part.first
	}
}
