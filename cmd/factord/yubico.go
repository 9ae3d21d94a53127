package main

import (
	"crypto/x509"
	"fmt"
	"io"
	"os"

	"github.com/factord/factord/conf"
	"github.com/factord/factord/daemon/factor/yubico"
	"github.com/factord/factord/daemon/factor/yubico/ykval"
)

// maxRoots bounds a ca_file, in bytes: the whole of what Debian trusts has 220 kB.
const maxRoots = 1 << 20

// yubicoClient makes the client of all [[yubico.server]]; nil if there is none. None
// is asked yet: they may be down, and other factors work without.
func yubicoClient(o options, c *conf.Config) (*ykval.Client, error) {
	if len(c.Yubico) == 0 {
		return nil, nil
	}
	var all []ykval.Server
	for _, s := range c.Yubico {
		key, err := s.ReadAPIKey(o.config, os.Getenv("CREDENTIALS_DIRECTORY"))
		if err != nil {
			return nil, err
		}
		server := ykval.Server{URL: s.URL, ClientID: s.ClientID, APIKey: key, Uncounted: !s.Counters}
		if server.Roots, err = roots(s.CAFile); err != nil {
			return nil, fmt.Errorf("reading ca_file of [[yubico.server]]: %w", err)
		}
		all = append(all, server)
	}
	return ykval.New(ykval.Config{Servers: all}), nil
}

// yubicoFactor keeps YubiKeys; client may be nil.
func yubicoFactor(client *ykval.Client) *yubico.Factor {
	if client == nil { // which is no nil of the interface
		return yubico.New(yubico.Config{})
	}
	return yubico.New(yubico.Config{Servers: client})
}

// roots reads certificates; of no file it is nil, which is what the system trusts.
func roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := readBounded(file, maxRoots)
	pool := x509.NewCertPool()
	if err == nil && !pool.AppendCertsFromPEM(pem) {
		err = fmt.Errorf("%s has no certificates", file)
	}
	return pool, err
}

// readBounded reads a file of at most limit bytes.
func readBounded(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", file, limit)
	}
	return text, err
}
