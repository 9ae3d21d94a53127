package store

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/sys/unix"

	"github.com/factord/factord/daemon/factor"
)

// KeySize is the size of the seal key in bytes.
const KeySize = chacha20poly1305.KeySize

// CredentialName is the systemd credential that holds the seal key.
const CredentialName = "seal-key"

// maxKeyFile is the most that is read of a key file: 64 hex digits and a line
// end are enough.
const maxKeyFile = 256

// Key seals the database. It prints as "[secret]".
type Key [KeySize]byte

// Format implements fmt.Formatter for every verb.
func (Key) Format(f fmt.State, _ rune) { io.WriteString(f, "[secret]") }

// sealer seals values with XChaCha20-Poly1305. Its 24-byte nonces are random:
// no counter has to survive a crash or a restored backup.
type sealer struct {
	aead  cipher.AEAD
	names [sha256.Size]byte // the key of Pseudonym
}

// sealVersion is the first byte of every sealed value.
const sealVersion = 1

var errSealed = fmt.Errorf("%w: it was changed or moved outside factord", factor.ErrDamaged)

// Pseudonym is a number for a name that is the same on this machine always, and
// that nobody who has not the key can predict.
func (s *Store) Pseudonym(name string) uint32 {
	sum := hmac.New(sha256.New, s.seal.names[:])
	sum.Write([]byte(name))
	return binary.BigEndian.Uint32(sum.Sum(nil))
}

func newSealer(key Key) (*sealer, error) {
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return nil, err
	}
	return &sealer{aead: aead, names: sha256.Sum256(append([]byte("factord names\x00"), key[:]...))}, nil
}

// bound is the associated data: bucket and key, which for a factor's record are
// user, factor and id. A value does not open in any other place.
func bound(bucket, key []byte) []byte {
	ad := make([]byte, 0, len(bucket)+len(key)+10)
	ad = append(ad, "factord 1\x00"...)
	ad = append(ad, bucket...)
	ad = append(ad, 0)
	return append(ad, key...)
}

func (s *sealer) seal(bucket, key, plain []byte) []byte {
	return s.appendSealed(make([]byte, 0, 1+chacha20poly1305.NonceSizeX+len(plain)+chacha20poly1305.Overhead), bucket, key, plain)
}

// appendSealed is seal that appends to out.
func (s *sealer) appendSealed(out, bucket, key, plain []byte) []byte {
	var nonce [chacha20poly1305.NonceSizeX]byte
	rand.Read(nonce[:]) // never fails: crypto/rand ends the program instead
	out = append(append(out, sealVersion), nonce[:]...)
	return s.aead.Seal(out, nonce[:], plain, bound(bucket, key))
}

func (s *sealer) open(bucket, key, sealed []byte) ([]byte, error) {
	const head = 1 + chacha20poly1305.NonceSizeX
	if len(sealed) < head || sealed[0] != sealVersion {
		return nil, errSealed
	}
	plain, err := s.aead.Open(nil, sealed[1:head], sealed[head:], bound(bucket, key))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

func (s *sealer) sealJSON(bucket, key []byte, v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return s.seal(bucket, key, plain), nil
}

func (s *sealer) openJSON(bucket, key, sealed []byte, v any) error {
	plain, err := s.open(bucket, key, sealed)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, v)
}

// ReadKey returns the seal key: the credential in credentials, a directory as
// systemd makes it, if it is there, else the key file in the state directory.
func ReadKey(dir, credentials string) (Key, error) {
	if key, found, err := ReadCredential(credentials); found || err != nil {
		return key, err
	}
	key, err := readKeyFile(filepath.Join(dir, KeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Key{}, fmt.Errorf("%w\nhint: a new machine needs \"factord --init\" once; on an old one restore the key, nothing else opens the database", err)
	}
	return key, err
}

// ReadCredential returns the seal key of credentials, and whether there is one.
func ReadCredential(credentials string) (key Key, found bool, err error) {
	if credentials == "" {
		return Key{}, false, nil
	}
	key, err = readKeyFile(filepath.Join(credentials, CredentialName))
	if errors.Is(err, fs.ErrNotExist) {
		return Key{}, false, nil
	}
	return key, err == nil, err
}

// MakeKey writes a new key file, unless there is one, and returns the key.
func MakeKey(dir string) (Key, error) {
	key, _, err := MakeKeyFile(filepath.Join(dir, KeyFile))
	return key, err
}

// MakeKeyFile reads a key from a file, which it makes with a new key if it is not
// there.
func MakeKeyFile(path string) (key Key, made bool, err error) {
	if key, err := readKeyFile(path); !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	key = NewKey()
	err = WriteNew(path, func(w io.Writer) error { return writeKey(w, key) })
	return key, err == nil, err
}

// NewKey makes a key.
func NewKey() (key Key) {
	rand.Read(key[:])
	return key
}

// writeKey writes a key as readKeyFile reads it.
func writeKey(w io.Writer, key Key) error {
	text := append(hex.AppendEncode(nil, key[:]), '\n')
	defer clear(text)
	_, err := w.Write(text)
	return err
}

// readKeyFile reads 32 raw bytes or 64 hex digits. Others must not be able to
// read the file; that is checked on the open file.
func readKeyFile(path string) (Key, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return Key{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Key{}, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o037 != 0 {
		return Key{}, fmt.Errorf("%s: mode is %v, others could have read or changed the key\nhint: chmod 600 it; if somebody may have read it, seal with another (factord --rekey), and enrol anew if they may have read the database too", path, info.Mode())
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return Key{}, err
	}
	return parseKey(path, data)
}

func parseKey(path string, data []byte) (Key, error) {
	defer clear(data)
	if len(data) == KeySize {
		return Key(data), nil
	}
	var key Key
	raw, err := hex.DecodeString(strings.TrimSpace(string(data)))
	if err != nil || copy(key[:], raw) != KeySize || len(raw) != KeySize {
		return Key{}, fmt.Errorf("%s: not a seal key\nhint: it is 64 hexadecimal digits or 32 bytes; restore it from where you keep it", path)
	}
	return key, nil
}
