package ctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/factord/factord/cmd/factorctl/dialog"
)

// maxSecret is the longest file with a token's secret, in bytes.
const maxSecret = 4 << 10

// readSecret reads the secret of a token that exists: from a file that nobody
// else can read, or the first line of standard input. The caller wipes it.
func readSecret(ctx context.Context, d *dialog.Dialog, path string) ([]byte, error) {
	read := secretFile
	if path == "-" {
		read = func(string) ([]byte, error) { return d.Line(maxSecret) }
	}
	type result struct {
		secret []byte
		err    error
	}
	done := make(chan result, 1)
	go func() { // a named pipe may have no writer yet
		secret, err := read(path)
		done <- result{secret, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	secret := bytes.TrimSpace(r.secret)
	switch {
	case r.err == io.EOF || r.err == nil && len(secret) == 0:
		return nil, fmt.Errorf("reading the secret from %s: it is empty", path)
	case r.err != nil:
		return nil, fmt.Errorf("reading the secret: %w", r.err)
	}
	return secret, nil
}

func secretFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() && info.Mode()&fs.ModeNamedPipe == 0:
		return nil, fmt.Errorf("%s is no file", path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s: mode %04o lets others read it\nhint: chmod 600 %s; if others may have read it, the secret is none", path, info.Mode().Perm(), path)
	}
	secret := make([]byte, maxSecret+1)
	n, err := io.ReadFull(f, secret)
	if err == nil {
		clear(secret)
		return nil, fmt.Errorf("%s is longer than %d bytes", path, maxSecret)
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return secret[:n], nil
}
