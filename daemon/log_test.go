package daemon_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/factord/factord/daemon"
)

// A log that nobody reads keeps nobody waiting.
func TestLogThatNobodyReads(t *testing.T) {
	_, stuck := io.Pipe()
	w := daemon.NewLogWriter(stuck)
	begin := time.Now()
	for range 10_000 {
		w.Write([]byte("line\n"))
	}
	w.Close()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %v", took)
	}

	var out bytes.Buffer
	w = daemon.NewLogWriter(&out)
	w.Write([]byte("a\n"))
	w.Write([]byte("b\n"))
	w.Close()
	if out.String() != "a\nb\n" {
		t.Errorf("got %q", out.String())
	}
}
