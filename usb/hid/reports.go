package hid

import (
	"context"
	"fmt"
	"os"
)

// features is the hidraw node of an OTP interface.
type features struct {
	*node
	kernel kernel
}

// Get implements Features.
func (f *features) Get(ctx context.Context) (report [FeatureSize]byte, err error) {
	// With the report id first, which is 0.
	buf, err := within(ctx, f.node, func() ([1 + FeatureSize]byte, error) {
		var buf [1 + FeatureSize]byte
		err := f.control(func(fd int) error { return whole(len(buf))(f.kernel.getFeature(fd, buf[:])) })
		return buf, err
	})
	if err != nil {
		return report, fmt.Errorf("reading a feature report: %w", err)
	}
	return [FeatureSize]byte(buf[1:]), nil
}

// Set implements Features.
func (f *features) Set(ctx context.Context, report [FeatureSize]byte) error {
	_, err := within(ctx, f.node, func() (struct{}, error) {
		buf := append([]byte{0}, report[:]...)
		return struct{}{}, f.control(func(fd int) error { return whole(len(buf))(f.kernel.setFeature(fd, buf)) })
	})
	if err != nil {
		return fmt.Errorf("writing a feature report: %w", err)
	}
	return nil
}

// frames is the hidraw node of a FIDO interface.
type frames struct{ *node }

// OpenFrames opens a FIDO interface by the path of its device file, which may be any
// character device that moves the same reports.
func OpenFrames(ctx context.Context, path string) (Frames, error) {
	n, err := openNode(path, os.O_RDWR, "")
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", path, err)
	}
	return newFrames(ctx, n, path)
}

func newFrames(ctx context.Context, n *node, name string) (Frames, error) {
	if err := n.lock(ctx); err != nil {
		n.Close()
		return nil, fmt.Errorf("locking the FIDO interface of %s: %w", name, err)
	}
	return frames{n}, nil
}

// Read implements Frames.
func (f frames) Read(ctx context.Context) (frame [FrameSize]byte, err error) {
	if err := whole(FrameSize)(f.read(ctx, frame[:])); err != nil {
		return [FrameSize]byte{}, fmt.Errorf("reading a frame: %w", err)
	}
	return frame, nil
}

// Write implements Frames.
func (f frames) Write(ctx context.Context, frame [FrameSize]byte) error {
	_, err := within(ctx, f.node, func() (struct{}, error) {
		buf := append([]byte{0}, frame[:]...)
		n, err := f.file.Write(buf)
		return struct{}{}, whole(len(buf))(n, fault(err))
	})
	if err != nil {
		return fmt.Errorf("writing a frame: %w", err)
	}
	return nil
}

// whole makes an error of a report that has another size.
func whole(size int) func(n int, err error) error {
	return func(n int, err error) error {
		if err == nil && n != size {
			return fmt.Errorf("a report has %d bytes, not %d", n, size)
		}
		return err
	}
}
