package duo_test

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// line is a connection spoken by hand.
type line struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
}

func (s *setup) dial(command string) *line { return s.dialAs(-1, command) }

func (s *setup) dialAs(uid int, command string) *line {
	s.t.Helper()
	nc, err := factordtest.Dial(s.Socket, uid)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { nc.Close() })
	l := &line{s.t, nc, bufio.NewReader(nc)}
	l.expect(wire.Greeting)
	l.send(command)
	return l
}

func (l *line) send(text string) { io.WriteString(l.nc, text+"\n") }

func (l *line) expect(want string) {
	l.t.Helper()
	got, err := l.r.ReadString('\n')
	if got = strings.ReplaceAll(strings.TrimSpace(got), "%20", " "); got != want {
		l.t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

// copied is the database as a kill would leave it now.
func (s *setup) copied() map[string][]byte {
	s.t.Helper()
	files := map[string][]byte{}
	for _, name := range []string{store.RedoFile, store.DatabaseFile} { // what is not in the first is in the second
		data, err := os.ReadFile(filepath.Join(s.Dir, name))
		if err != nil {
			s.t.Fatal(err)
		}
		files[name] = data
	}
	return files
}

// restart goes on from there.
func (s *setup) restart(files map[string][]byte) {
	s.t.Helper()
	s.Stop()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(s.Dir, name), data, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	s.Run()
}
