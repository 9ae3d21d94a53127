// Package keyfile reads the files in which other programs keep the FIDO2 credentials
// of people: pam-u2f's mapping files and OpenSSH's key files. Each gives a credential
// that a key can be asked for, and what that program would have asked it.
//
// Somebody may have given the wrong file, so what stands in it is not quoted.
package keyfile

import "github.com/factord/factord/daemon/factor/fido2/assertion"

// Credential is one of a file.
type Credential struct {
	// ID is the credential's id, or key handle. Nil: the key keeps it, and finds it by
	// the relying party.
	ID  []byte
	Key assertion.PublicKey
	// What is to be asked of the key: a touch, its own verification of the user
	// (a fingerprint), the PIN.
	Presence, Verification, PIN bool
	// U2F credentials are of a key that may know no CTAP2; their relying party's id is
	// an AppID.
	U2F bool
}

// maxLine is the longest line of a mapping file, and maxFile the longest file, in bytes.
// The ids of some keys have a few hundred.
const (
	maxLine = 64 << 10
	maxFile = 1 << 20
)
