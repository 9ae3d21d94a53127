package session

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/wire"
)

// askAuthInfo asks a client that has it for sshd's SSH_AUTH_INFO_0, and keeps
// the fingerprint of the key that was the first factor. Only root's word counts
// for it. A client that cancels has said nothing.
func (a *attempt) askAuthInfo(context.Context) *ruling {
	if !a.auth.AuthInfo || a.caller != policy.CallerRoot {
		return nil
	}
	info, err := a.inquire(wire.AuthInfo, "", wire.MaxInquiry)
	if errors.Is(err, wire.ErrCancelled) {
		return nil
	}
	if err != nil {
		return &ruling{reason: reasonOf(err), text: textUnavailable, log: "asking for SSH_AUTH_INFO_0: " + err.Error()}
	}
	a.key = keyFingerprint(string(info))
	return nil
}

// keyFingerprint returns the SHA-256 fingerprint of the first public key in
// SSH_AUTH_INFO_0, whose lines are "method data", for publickey "publickey
// algorithm base64" (sshd_config(5), ExposeAuthInfo). Of a certificate it is the
// key inside. It is "" when there is none, or none that can be read.
func keyFingerprint(info string) string {
	for line := range strings.Lines(info) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != "publickey" {
			continue
		}
		blob, err := base64.StdEncoding.DecodeString(fields[2])
		if err != nil {
			return ""
		}
		key, err := ssh.ParsePublicKey(blob)
		if err != nil {
			return ""
		}
		if cert, ok := key.(*ssh.Certificate); ok {
			key = cert.Key
		}
		return ssh.FingerprintSHA256(key)
	}
	return ""
}
