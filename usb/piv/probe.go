package piv

// #cgo pkg-config: libpcsclite
// #include <stdlib.h>
// #include <winscard.h>
//
// static LONG probe(const char *reader, unsigned *status)
// {
//	static const BYTE select[] = { 0x00, 0xa4, 0x04, 0x00, 0x05, 0xa0, 0x00, 0x00, 0x03, 0x08 };
//	SCARDCONTEXT context;
//	SCARDHANDLE card;
//	DWORD protocol;
//	BYTE answer[MAX_BUFFER_SIZE];
//	DWORD n = sizeof answer;
//
//	LONG rv = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context);
//	if (rv != SCARD_S_SUCCESS)
//		return rv;
//	rv = SCardConnect(context, reader, SCARD_SHARE_EXCLUSIVE, SCARD_PROTOCOL_T1, &card, &protocol);
//	if (rv == SCARD_S_SUCCESS) {
//		rv = SCardTransmit(card, SCARD_PCI_T1, select, sizeof select, NULL, answer, &n);
//		if (rv == SCARD_S_SUCCESS && n >= 2)
//			*status = answer[n - 2] << 8 | answer[n - 1];
//		SCardDisconnect(card, SCARD_LEAVE_CARD);
//	}
//	SCardReleaseContext(context);
//	return rv;
// }
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// errForeign: the card has no PIV applet, or it is switched off.
var errForeign = errors.New("there is no PIV on it")

// probe selects the PIV applet of the card in a reader, and lets go of it again. If
// that fails in go-piv's Open, the card stays locked, for us and for everybody, until
// the process ends or the reader is gone: also when the card was only being pulled
// out. It connects exclusively, too: to select an applet under another program's
// hands would break what that is doing.
func probe(reader string) error {
	name := C.CString(reader)
	defer C.free(unsafe.Pointer(name))
	var word C.uint
	rv := C.probe(name, &word)
	switch {
	case rv == C.SCARD_E_SHARING_VIOLATION:
		return ErrBusy
	case rv == C.SCARD_E_NO_SERVICE, rv == C.SCARD_E_SERVICE_STOPPED, rv == C.SCARD_F_COMM_ERROR,
		rv == C.SCARD_E_INVALID_HANDLE, rv == C.SCARD_W_SECURITY_VIOLATION:
		return fmt.Errorf("%w (PC/SC code %#x)", ErrService, uint32(rv))
	case rv == C.SCARD_E_PROTO_MISMATCH:
		return errForeign
	case rv != C.SCARD_S_SUCCESS, word == 0:
		// Most often because it is being pulled out.
		return fmt.Errorf("%w (PC/SC code %#x)", errGone, uint32(rv))
	case word != success && word>>8 != moreData:
		return fmt.Errorf("%w (status %04x)", errForeign, uint(word))
	}
	return nil
}
