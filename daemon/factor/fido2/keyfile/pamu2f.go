package keyfile

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/factord/factord/daemon/factor/fido2/assertion"
)

// maxDevices is how many pam-u2f takes of a line; it ignores the rest.
const maxDevices = 24

// Person is a line of a mapping file.
type Person struct {
	Line        int
	User        string
	Credentials []Credential
	// Before are lines of the same user further up, which pam-u2f does not look at.
	Before []int
}

// ParsePAMU2F reads a mapping file of pam-u2f, of which the last line of a user holds:
//
//	user:id,key,algorithm,options[:id,key,algorithm,options...]
//	user:handle,key[:handle,key...]       as it was before 1.1.0
//
// The file doesn't say the relying party, which is the module's option origin, or
// "pam://" with the host's name.
func ParsePAMU2F(file []byte) ([]Person, error) {
	if len(file) > maxFile {
		return nil, fmt.Errorf("the file is longer than %d bytes", maxFile)
	}
	at := map[string]int{} // in all
	var all []Person
	number := 0
	for line := range strings.Lines(string(file)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		p, err := parsePerson(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		p.Line = number
		i, twice := at[p.User]
		if !twice {
			at[p.User] = len(all)
			all = append(all, p)
			continue
		}
		p.Before = append(all[i].Before, all[i].Line)
		all[i] = p
	}
	if len(all) == 0 {
		return nil, errors.New("the file names nobody")
	}
	return all, nil
}

func parsePerson(line string) (Person, error) {
	user, devices, found := strings.Cut(line, ":")
	switch {
	case len(line) > maxLine:
		return Person{}, fmt.Errorf("it is longer than %d bytes", maxLine)
	case !found || user == "" || strings.ContainsAny(user, " \t\x00,"):
		return Person{}, errors.New("it does not begin with a user and a colon\nhint: a line is like alice:ID,KEY,es256,+presence")
	}
	p := Person{User: user}
	for device := range strings.SplitSeq(devices, ":") {
		if device == "" { // pam-u2f takes no notice of doubled colons
			continue
		}
		if len(p.Credentials) == maxDevices {
			return Person{}, fmt.Errorf("it has more than %d keys, of which pam-u2f ignores the rest", maxDevices)
		}
		c, err := parseDevice(device)
		if err != nil {
			return Person{}, fmt.Errorf("key %d: %w", len(p.Credentials)+1, err)
		}
		p.Credentials = append(p.Credentials, c)
	}
	return p, nil
}

func parseDevice(device string) (Credential, error) {
	fields := strings.Split(device, ",")
	switch len(fields) {
	case 2:
		return parseOld(fields[0], fields[1])
	case 3:
		fields = append(fields, "")
	case 4:
	default:
		return Credential{}, fmt.Errorf("it has %d fields, not 2 to 4", len(fields))
	}
	var c Credential
	var err error
	if fields[0] != "*" { // of a key that keeps it
		if c.ID, err = base64.StdEncoding.Strict().DecodeString(fields[0]); err != nil || !isID(c.ID) {
			return Credential{}, errors.New("its id is no base64 of a credential's id")
		}
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(fields[1])
	if err != nil {
		return Credential{}, errors.New("its public key is no base64")
	}
	if c.Key, err = parseKey(fields[2], raw); err != nil {
		return Credential{}, err
	}
	return c, c.options(fields[3])
}

func isID(id []byte) bool { return len(id) > 0 && len(id) <= assertion.MaxCredentialID }

// rsaModulus is how many bytes of pam-u2f's RSA keys are the modulus; three more are
// the exponent.
const rsaModulus = 256

func parseKey(algorithm string, raw []byte) (assertion.PublicKey, error) {
	switch algorithm {
	case "es256":
		return assertion.NewES256(append([]byte{4}, raw...))
	case "eddsa":
		return assertion.NewEdDSA(raw)
	case "rs256":
		if len(raw) != rsaModulus+3 {
			return assertion.PublicKey{}, fmt.Errorf("its RSA key has %d bytes, not %d", len(raw), rsaModulus+3)
		}
		return assertion.NewRS256(raw[:rsaModulus], raw[rsaModulus:])
	}
	return assertion.PublicKey{}, errors.New("its algorithm is not es256, eddsa or rs256")
}

// options reads what pamu2fcfg writes, such as "+presence+pin".
func (c *Credential) options(text string) error {
	if text == "" {
		return nil
	}
	rest, found := strings.CutPrefix(text, "+")
	if !found {
		return errors.New("its options do not begin with +")
	}
	for option := range strings.SplitSeq(rest, "+") {
		on := map[string]*bool{"presence": &c.Presence, "verification": &c.Verification, "pin": &c.PIN}[option]
		if on == nil || *on {
			return errors.New("it has an unknown option, or one twice\nhint: there are +presence, +verification and +pin")
		}
		*on = true
	}
	return nil
}

// parseOld reads a key of U2F: a handle in base64 for web addresses, without padding,
// and a point in hexadecimal.
func parseOld(handle, point string) (Credential, error) {
	id, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(handle, "="))
	if err != nil || !isID(id) {
		return Credential{}, errors.New("its key handle is no base64 for web addresses")
	}
	raw, err := hex.DecodeString(point)
	if err != nil {
		return Credential{}, errors.New("its public key is no hexadecimal")
	}
	key, err := assertion.NewES256(raw)
	return Credential{ID: id, Key: key, Presence: true, U2F: true}, err
}
