//go:build amd64 || arm64 || 386 || arm || riscv64 || loong64 || s390x

package helper

import (
	"syscall"
	"unsafe"
)

// Terminal requests of asm-generic/ioctls.h, which the architectures above
// share; package syscall lacks them.
const (
	tcGets      = 0x5401
	tcSets      = 0x5402
	tcSetsFlush = 0x5404 // discards what was typed and not yet read
)

func ioctlTermios(fd int, request uintptr, t *syscall.Termios) error {
	for {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(t)))
		switch errno {
		case 0:
			return nil
		case syscall.EINTR:
		default:
			return errno
		}
	}
}
