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
	secret, err := awaited(ctx, func() ([]byte, error) {
		if path == "-" {
			return d.Line(maxSecret)
		}
		return secretFile(path, maxSecret)
	})
	secret = bytes.TrimSpace(secret)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, err
	case err == io.EOF || err == nil && len(secret) == 0:
		return nil, fmt.Errorf("reading the secret from %s: it is empty", path)
	case err != nil:
		return nil, fmt.Errorf("reading the secret: %w", err)
	}
	return secret, nil
}

// awaited reads until ctx ends: a named pipe may have no writer yet.
func awaited(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		secret []byte
		err    error
	}
	done := make(chan result, 1)
	go func() {
		secret, err := read()
		done <- result{secret, err}
	}()
	select {
	case r := <-done:
		return r.secret, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// secretFile reads a file that nobody else can read, or a pipe.
func secretFile(path string, limit int) ([]byte, error) {
	secret, mode, err := boundedFile(path, limit)
	if err == nil {
		err = unreadable(path, mode)
	}
	if err != nil {
		clear(secret)
		return nil, err
	}
	return secret, nil
}

// unreadable refuses a file with secrets that others can read.
func unreadable(path string, mode fs.FileMode) error {
	if mode.Perm()&0o077 == 0 {
		return nil
	}
	return fmt.Errorf("%s: mode %04o lets others read it\nhint: chmod 600 %s; if others may have read it, the secret is none", path, mode.Perm(), path)
}

// boundedFile reads a file or a pipe, and its mode.
func boundedFile(path string, limit int) (text []byte, mode fs.FileMode, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular() && info.Mode()&fs.ModeNamedPipe == 0:
		return nil, 0, fmt.Errorf("%s is no file", path)
	}
	text = make([]byte, limit+1)
	n, err := io.ReadFull(f, text)
	if err == nil {
		clear(text)
		return nil, 0, fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		clear(text)
		return nil, 0, err
	}
	return text[:n], info.Mode(), nil
}
