package reader

// #include <stdlib.h>
// #include <winscard.h>
//
// static LONG reader_share(const char *name, SCARDCONTEXT *context, SCARDHANDLE *card)
// {
//	DWORD protocol;
//	LONG rv = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, context);
//	if (rv != SCARD_S_SUCCESS)
//		return rv;
//	rv = SCardConnect(*context, name, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1, card, &protocol);
//	if (rv != SCARD_S_SUCCESS)
//		SCardReleaseContext(*context);
//	return rv;
// }
import "C"

import "unsafe"

// Share connects to the card as a browser does: it is shared with others of the kind,
// and with nobody who wants it exclusively. What is returned ends that.
func (k *Key) Share() (release func()) {
	t := k.readers.t
	t.Helper()
	name := C.CString(k.Reader)
	defer C.free(unsafe.Pointer(name))
	var context C.SCARDCONTEXT
	var card C.SCARDHANDLE
	if rv := C.reader_share(name, &context, &card); rv != C.SCARD_S_SUCCESS {
		t.Fatalf("connecting to the card in %q: %#x", k.Reader, uint32(rv))
	}
	return func() {
		C.SCardDisconnect(card, C.SCARD_LEAVE_CARD)
		C.SCardReleaseContext(context)
	}
}
