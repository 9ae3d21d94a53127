package conf

import (
	"fmt"
	"path/filepath"
	"strings"
)

// USB is [usb]: how keys are asked that are plugged into this machine.
type USB struct {
	Backend string // "hidraw" or "libusb"
}

// FIDO2 is [fido2].
type FIDO2 struct {
	// RPID is the relying party that new credentials are made for. A credential is of no
	// use for any other, so it must stay as it is; that of a record is in the record.
	RPID string
}

// PIV is [piv].
type PIV struct {
	// Attested: only keys can be enrolled of which a certificate proves that they were
	// made inside a YubiKey and can't leave it.
	Attested bool
	CAFile   string // whose certificates; "": Yubico's
}

// defaultRPID is no name of a machine: who renames one would lose all credentials. That
// other machines have the same does no harm: what is signed names the machine, and a
// credential is taken from its user's record alone.
const defaultRPID = "factord"

const maxRPID = 253 // bytes of a DNS name

func readUSB(t *table) USB {
	defer t.done()
	u := USB{Backend: "hidraw"}
	if s := t.word("backend", "hidraw", "libusb"); s != "" {
		u.Backend = s
	}
	return u
}

func readFIDO2(t *table) FIDO2 {
	defer t.done()
	f := FIDO2{RPID: defaultRPID}
	if s, ok := t.text("rp_id"); ok {
		t.judge("rp_id", checkRPID(s))
		f.RPID = s
	}
	return f
}

// checkRPID accepts names as those of hosts, and what pam_u2f makes of one,
// "pam://host".
func checkRPID(s string) flaw {
	if name := strings.TrimPrefix(s, "pam://"); name == "" || len(s) > maxRPID || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return flaw{fmt.Sprintf("%q is not the name of a relying party", s), "it is like the name of a host, in lower case; keys that are enrolled are of no use under another"}
	}
	return flaw{}
}

func readPIV(t *table) PIV {
	defer t.done()
	p := PIV{Attested: t.word("attestation", "optional", "required") == "required"}
	if file, ok := t.text("ca_file"); ok && file != "" {
		if !filepath.IsAbs(file) || filepath.Clean(file) != file {
			t.fail("ca_file", "leave it out to trust Yubico's", "%q is not a clean absolute path", file)
		}
		p.CAFile = file
	}
	return p
}
