package keyfile

import (
	"bytes"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/factord/factord/daemon/factor/fido2/assertion"
)

// SSHKey is a security key's key of OpenSSH.
type SSHKey struct {
	Credential
	Application string // the relying party's id, mostly "ssh:"
	Comment     string
}

// Flags of a security key's key (OpenSSH, PROTOCOL.u2f).
const (
	sshPresent  = 0x01
	sshVerified = 0x04
	sshResident = 0x20
	sshForce    = 0x10 // over a resident key: said to the key once, and kept
)

const (
	sshMagic   = "openssh-key-v1\x00"
	sshECDSA   = "sk-ecdsa-sha2-nistp256@openssh.com"
	sshEd25519 = "sk-ssh-ed25519@openssh.com"
)

// ParseOpenSSH reads the file that "ssh-keygen -t ecdsa-sk" or "ed25519-sk" has made as
// the private key. The private half is not in it: it has the key handle, without which
// a key can't be asked, and which the public file lacks.
func ParseOpenSSH(file []byte) (SSHKey, error) {
	if len(file) > maxFile {
		return SSHKey{}, fmt.Errorf("the file is longer than %d bytes", maxFile)
	}
	if bytes.HasPrefix(file, []byte("sk-")) {
		return SSHKey{}, errors.New("the file has a public key, and the key handle is in the other file\nhint: give the one without .pub")
	}
	block, rest := pem.Decode(file)
	if block == nil || block.Type != "OPENSSH PRIVATE KEY" || len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return SSHKey{}, errors.New("the file is no private key of OpenSSH")
	}
	return parseSSH(block.Bytes)
}

// parseSSH reads what is inside (OpenSSH, PROTOCOL.key).
func parseSSH(b []byte) (SSHKey, error) {
	if !bytes.HasPrefix(b, []byte(sshMagic)) {
		return SSHKey{}, errors.New("the file is no private key of OpenSSH")
	}
	r := &reader{rest: b[len(sshMagic):]}
	cipher, kdf, options, count := r.text(), r.text(), r.text(), r.number()
	if !r.bad && cipher != "none" {
		return SSHKey{}, errors.New("the key file is encrypted\nhint: copy it and take the passphrase from the copy: ssh-keygen -p -f COPY")
	}
	public, private := r.bytes(), r.bytes()
	if r.bad || len(r.rest) > 0 || kdf != "none" || options != "" || count != 1 {
		return SSHKey{}, errors.New("the key file is malformed, or has several keys")
	}
	k, err := parsePrivate(private)
	if err != nil {
		return SSHKey{}, err
	}
	outside, err := parsePublic(&reader{rest: public})
	if err != nil || !outside.Key.Equal(k.Key) || outside.Application != k.Application {
		return SSHKey{}, errors.New("the two halves of the key file differ")
	}
	return k, nil
}

// parsePublic reads a public key as it is in both halves.
func parsePublic(r *reader) (SSHKey, error) {
	k, err := parseHead(r)
	if err == nil && (r.bad || len(r.rest) > 0) {
		err = errors.New("the public key is malformed")
	}
	return k, err
}

// parseHead reads kind, public key and application.
func parseHead(r *reader) (k SSHKey, err error) {
	switch kind := r.text(); {
	case r.bad:
		return k, errors.New("the key file is cut off")
	case kind == sshECDSA:
		if r.text() != "nistp256" {
			return k, errors.New("the key is of another curve")
		}
		k.Key, err = assertion.NewES256(r.bytes())
	case kind == sshEd25519:
		k.Key, err = assertion.NewEdDSA(r.bytes())
	default:
		return k, errors.New("the key is not one of a security key\nhint: such keys are of the types ecdsa-sk and ed25519-sk")
	}
	k.Application = r.text()
	return k, err
}

func parsePrivate(b []byte) (SSHKey, error) {
	r := &reader{rest: b}
	if check, again := r.number(), r.number(); check != again {
		return SSHKey{}, errors.New("the key file is damaged")
	}
	k, err := parseHead(r)
	if err != nil {
		return SSHKey{}, err
	}
	flags := r.byte()
	k.ID = bytes.Clone(r.bytes())
	r.bytes() // reserved
	k.Comment = r.text()
	if r.bad || !isID(k.ID) || !padded(b, r.rest) || k.Application == "" {
		return SSHKey{}, errors.New("the key file is malformed")
	}
	if flags&^(sshPresent|sshVerified|sshResident|sshForce) != 0 {
		return SSHKey{}, fmt.Errorf("the key has unknown flags: 0x%02x", flags)
	}
	// OpenSSH asks for the PIN, or a fingerprint where the key has a reader.
	k.Presence, k.PIN = flags&sshPresent != 0, flags&sshVerified != 0
	return k, nil
}

// padded holds if the private half ends with 1, 2, 3... up to a multiple of 8 bytes.
func padded(all, padding []byte) bool {
	for i, b := range padding {
		if b != byte(i+1) {
			return false
		}
	}
	return len(padding) < 8 && len(all)%8 == 0
}

// reader reads the wire format of SSH (RFC 4251, 5). Once it is bad it stays so.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) number() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) bytes() []byte { return r.take(uint64(r.number())) }

func (r *reader) text() string { return string(r.bytes()) }
