package reader

// #cgo pkg-config: libpcsclite
// #include <stdlib.h>
// #include <winscard.h>
//
// static LONG reader_state(const char *name, DWORD *state)
// {
//	SCARDCONTEXT context;
//	LONG rv = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context);
//	if (rv != SCARD_S_SUCCESS)
//		return rv;
//	SCARD_READERSTATE reader = { .szReader = name, .dwCurrentState = SCARD_STATE_UNAWARE };
//	rv = SCardGetStatusChange(context, 0, &reader, 1);
//	*state = reader.dwEventState;
//	SCardReleaseContext(context);
//	return rv;
// }
import "C"

import "unsafe"

// present asks pcscd whether the reader has a card that answers. It does not connect to
// the card, so it disturbs nobody.
func (k *Key) present() bool {
	name := C.CString(k.Reader)
	defer C.free(unsafe.Pointer(name))
	var state C.DWORD
	if C.reader_state(name, &state) != C.SCARD_S_SUCCESS {
		return false
	}
	return state&C.SCARD_STATE_PRESENT != 0 && state&C.SCARD_STATE_MUTE == 0
}
