package usbip

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Controller is the kernel's virtual host controller (module vhci-hcd).
const Controller = "/sys/devices/platform/vhci_hcd.0"

// fullSpeed is Linux's number for USB 1.1's 12 Mbit/s, which is what security keys do.
const fullSpeed = 2

// freePort is a port's state in the controller's file status (VDEV_ST_NULL).
const freePort = "004"

// Attach plugs something into this machine: what Serve then says it is, for as long as
// the connection lives. It needs root and the module vhci-hcd.
func Attach() (net.Conn, error) {
	ours, theirs, err := pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close() // the kernel has its own hold of it
	if err := plug(Controller, int(theirs.Fd())); err != nil {
		ours.Close()
		return nil, err
	}
	return ours, nil
}

// pair is a connection, and the file of its other end.
func pair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making a pair of sockets: %w", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "vhci")
	near := os.NewFile(uintptr(fds[0]), "device")
	ours, err := net.FileConn(near)
	near.Close()
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("making a connection of a socket: %w", err)
	}
	return ours, theirs, nil
}

// plug gives the socket to a free port. Between reading which are free and taking one,
// another process may take it: then the next is tried.
func plug(controller string, fd int) error {
	ports, err := freePorts(controller)
	if err != nil {
		return err
	}
	for _, port := range ports {
		line := fmt.Sprintf("%d %d %d %d", port, fd, deviceID, fullSpeed)
		err = os.WriteFile(filepath.Join(controller, "attach"), []byte(line), 0)
		if !errors.Is(err, unix.EBUSY) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("plugging into the virtual host controller: %w", err)
	}
	return nil
}

// deviceID is the device's number at its server, bus and device: any will do.
const deviceID = 1<<16 | 1

// freePorts are the controller's ports for high speed and below that have nothing
// plugged in. Its file status has lines "hub port state speed device socket busid".
func freePorts(controller string) ([]int, error) {
	name := filepath.Join(controller, "status")
	text, err := os.ReadFile(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, errors.New("no virtual host controller\nhint: modprobe vhci-hcd")
	case err != nil:
		return nil, err
	}
	var ports []int
	for line := range strings.Lines(string(text)) {
		w := strings.Fields(line)
		if len(w) < 3 || w[0] != "hs" || w[2] != freePort {
			continue
		}
		port, err := strconv.Atoi(w[1])
		if err != nil {
			return nil, fmt.Errorf("%s has a port %q", name, w[1])
		}
		ports = append(ports, port)
	}
	if ports == nil {
		return nil, errors.New("every port of the virtual host controller is taken")
	}
	return ports, nil
}
