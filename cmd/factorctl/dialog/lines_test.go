package dialog

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func pipe(t *testing.T, text string) (*lines, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	io.WriteString(w, text)
	return &lines{fd: int(r.Fd())}, w
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 3000)
	l, w := pipe(t, "one\ntwo\r\n\n"+long+"\nlast")
	w.Close()
	for _, want := range []string{"one", "two", "", long, "last"} {
		got, err := l.read(t.Context(), 3000)
		if err != nil || string(got) != want {
			t.Errorf("read %q, %v, want %q", got, err, want)
		}
	}
	if got, err := l.read(t.Context(), 10); err != io.EOF {
		t.Errorf("read %q, %v at the end", got, err)
	}
}

func TestLineTooLong(t *testing.T) {
	l, _ := pipe(t, strings.Repeat("x", 2000))
	if _, err := l.read(t.Context(), 512); err == nil || !strings.Contains(err.Error(), "longer than 512 bytes") {
		t.Errorf("error %v", err)
	}
}

func TestLinesEndWithContext(t *testing.T) {
	l, _ := pipe(t, "half a line")
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(10*time.Millisecond, func() { cancel(cause) })
	if _, err := l.read(ctx, 512); err != cause {
		t.Errorf("error %v", err)
	}
	if _, err := l.read(ctx, 512); err != cause {
		t.Errorf("error %v when it had ended before", err)
	}
}
