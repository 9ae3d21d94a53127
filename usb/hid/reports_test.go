package hid

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestFramesGoThrough(t *testing.T) {
	tr := newTree(t)
	_, _, fido := tr.yubikey("1-1")
	f, err := tr.hidraw().Frames(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range byte(10) {
		frame := [FrameSize]byte{0, i, 2, 3, 63: 0xff}
		if err := f.Write(t.Context(), frame); err != nil {
			t.Fatal(err)
		}
		var sent [1 + FrameSize]byte
		if _, err := io.ReadFull(fido, sent[:]); err != nil {
			t.Fatal(err)
		}
		if sent[0] != 0 || [FrameSize]byte(sent[1:]) != frame {
			t.Errorf("sent %x", sent)
		}
		if _, err := fido.Write(sent[1:]); err != nil {
			t.Fatal(err)
		}
		got, err := f.Read(t.Context())
		if err != nil || got != frame {
			t.Errorf("got %x, %v", got, err)
		}
	}
}

// A read that ended with its context does no harm to the next one.
func TestAReadEndsWithItsContext(t *testing.T) {
	tr := newTree(t)
	_, _, fido := tr.yubikey("1-1")
	f, err := OpenFrames(t.Context(), filepath.Join(tr.dev, "hidraw1"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if _, err := f.Read(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		frame := bytes.Repeat([]byte{7}, FrameSize)
		if _, err := fido.Write(frame); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Read(t.Context()); err != nil || !bytes.Equal(got[:], frame) {
			t.Fatalf("%x, %v", got, err)
		}
	}
}

func TestAShortFrame(t *testing.T) {
	tr := newTree(t)
	_, _, fido := tr.yubikey("1-1")
	f, err := tr.hidraw().Frames(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fido.Write([]byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Read(t.Context()); err == nil || got != [FrameSize]byte{} {
		t.Errorf("%x", got)
	}
}

func TestUnpluggedWhileReading(t *testing.T) {
	tr := newTree(t)
	keyboard, _, fido := tr.yubikey("1-1")
	f, err := tr.hidraw().Frames(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	k, err := tr.hidraw().Keyboard(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	fido.Close()
	if _, err := f.Read(t.Context()); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	keyboard.Close()
	if _, err := k.Read(t.Context()); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if err := f.Write(t.Context(), [FrameSize]byte{}); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}

func TestAnotherProgramHoldsTheKey(t *testing.T) {
	tr := newTree(t)
	tr.yubikey("1-1")
	other, err := os.OpenFile(filepath.Join(tr.dev, "hidraw1"), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(other.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := tr.hidraw().Frames(ctx, "1-1"); !errors.Is(err, ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { other.Close() })
	f, err := tr.hidraw().Frames(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// Another device has the name by now.
func TestADeviceFileOfAnotherDevice(t *testing.T) {
	tr := newTree(t)
	tr.yubikey("1-1")
	_, slave := newPTY(t)
	name := filepath.Join(tr.dev, "hidraw1")
	if err := errors.Join(os.Remove(name), os.Symlink(slave, name)); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.hidraw().Frames(t.Context(), "1-1"); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	plain := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFrames(t.Context(), plain); err == nil {
		t.Error("a plain file is no device")
	}
}

// A key has just been plugged in: its device file comes a moment later than what the
// kernel says of it, or than both.
func TestTheDeviceFileComesLater(t *testing.T) {
	for name, known := range map[string]bool{"known to the kernel": true, "unknown": false} {
		t.Run(name, func(t *testing.T) {
			tr := newTree(t)
			tr.device("1-1", "1050", "0407")
			child := tr.inter("1-1", 1, 3, 0, 0, fidoDescriptor)
			file, later := filepath.Join(tr.dev, "hidraw4"), filepath.Join(tr.dev, "later")
			if known {
				tr.node(child, "hidraw", "hidraw4")
				if err := os.Rename(file, later); err != nil {
					t.Fatal(err)
				}
			}
			opened := make(chan error)
			go func() {
				f, err := tr.hidraw().Frames(t.Context(), "1-1")
				if err == nil {
					f.Close()
				}
				opened <- err
			}()
			time.Sleep(2 * retry) // it has looked
			if known {
				if err := os.Rename(later, file); err != nil {
					t.Fatal(err)
				}
			} else {
				tr.node(child, "hidraw", "hidraw4")
			}
			if err := <-opened; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFeatureReports(t *testing.T) {
	tr := newTree(t)
	tr.yubikey("1-1")
	tr.kernel.feature = []byte{1, 2, 3, 4, 5, 6, 7, 8}
	f, err := tr.hidraw().Features(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := f.Get(t.Context())
	if err != nil || got != [FeatureSize]byte{1, 2, 3, 4, 5, 6, 7, 8} {
		t.Errorf("%x, %v", got, err)
	}
	if err := f.Set(t.Context(), [FeatureSize]byte{9, 7: 0x8f}); err != nil {
		t.Fatal(err)
	}
	if want := []byte{0, 9, 0, 0, 0, 0, 0, 0, 0x8f}; !bytes.Equal(tr.kernel.feature, want) {
		t.Errorf("%x", tr.kernel.feature)
	}
	tr.kernel.size = -1
	if _, err := f.Get(t.Context()); err == nil {
		t.Error("a short report is taken")
	}
	tr.kernel.size, tr.kernel.err = 0, unix.ENODEV
	if _, err := f.Get(t.Context()); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if err := f.Set(t.Context(), [FeatureSize]byte{}); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if _, err := tr.hidraw().Features(timeout(t, 50*time.Millisecond), "1-1"); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
}

func timeout(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// A key that has stopped to answer holds up the kernel, and nobody else.
func TestAFeatureReportThatHangs(t *testing.T) {
	tr := newTree(t)
	tr.yubikey("1-1")
	tr.kernel.feature = []byte{1, 2, 3, 4, 5, 6, 7, 8}
	tr.kernel.hold = make(chan struct{})
	f, err := tr.hidraw().Features(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := f.Get(timeout(t, 20*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	close(tr.kernel.hold)
	if got, err := f.Get(t.Context()); err != nil || got[0] != 1 {
		t.Errorf("%x, %v", got, err)
	}
	f.Close()

	tr.kernel.hold = make(chan struct{})
	f, err = tr.hidraw().Features(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	f.Get(timeout(t, 20*time.Millisecond))
	closed := make(chan struct{})
	go func() { f.Close(); close(closed) }()
	<-closed
	close(tr.kernel.hold)
}
