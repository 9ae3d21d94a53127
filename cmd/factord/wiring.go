package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/factord/factord/conf"
	"github.com/factord/factord/daemon"
	"github.com/factord/factord/daemon/audit"
	"github.com/factord/factord/daemon/device"
	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/backup"
	"github.com/factord/factord/daemon/factor/duo"
	"github.com/factord/factord/daemon/factor/duo/authapi"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/daemon/factor/totp"
	"github.com/factord/factord/daemon/factor/yubico/ykval"
	"github.com/factord/factord/daemon/logind"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/store"
)

// settings are what is in force; a reload replaces them as a whole.
type settings struct {
	conf    atomic.Pointer[conf.Config]
	session atomic.Pointer[session.Settings]
	duo     atomic.Pointer[authapi.Client] // nil: there is no [duo]
	yubico  atomic.Pointer[ykval.Client]   // nil: there is no [[yubico.server]]
	keys    *device.Broker                 // to the keys that are plugged in here
	copies  *audit.Copies
	// refused is why the file as it is now is not in force; nil: it is.
	refused atomic.Pointer[string]
}

// configuration reads and checks the file.
func configuration(o options) (*conf.Config, error) {
	c, err := conf.Load(o.config, conf.BuiltIn())
	if err == nil {
		err = c.Audit.Apart(o.config, o.state)
	}
	return c, err
}

// copiesOf are the settings of copies.
func copiesOf(c *conf.Config) audit.Settings {
	return audit.Settings{Strict: c.Audit.Strict, File: c.Audit.File}
}

// load reads the configuration for the first time.
func load(o options, copies *audit.Copies, log *slog.Logger) (*settings, error) {
	s := &settings{copies: copies}
	s.keys = broker(o, func() string { return s.conf.Load().USB.Backend })
	c, err := configuration(o)
	if err != nil {
		return nil, err
	}
	// A log file that can't be written, or hangs, is no reason to refuse everybody,
	// unless it is the only place for copies that must not be lost.
	if err := copies.TryFirst(copiesOf(c)); err != nil {
		if c.Audit.Strict && !copies.HasJournal() {
			return nil, err
		}
		log.Error("audit copies can't be written", "error", err)
	}
	return s, s.enforce(o, c, log)
}

// reload puts a new configuration in force if nothing is wrong with it.
func (s *settings) reload(o options, log *slog.Logger) error {
	c, err := configuration(o)
	if err != nil {
		return err
	}
	if err := s.copies.Try(copiesOf(c)); err != nil {
		return fmt.Errorf("%s: %w", o.config, err)
	}
	return s.enforce(o, c, log)
}

// enforce puts a configuration in force, unless what it names is not there.
func (s *settings) enforce(o options, c *conf.Config, log *slog.Logger) error {
	keys, err := yubicoClient(o, c)
	if err != nil {
		return err
	}
	client, err := duoClient(o, c)
	if err != nil {
		return err
	}
	cards, err := cardTrust(c)
	if err != nil {
		return fmt.Errorf("%s: %w", o.config, err)
	}
	for _, w := range c.Warnings {
		log.Warn(w)
	}
	s.copies.Configure(copiesOf(c))
	s.conf.Store(c)
	s.session.Store(&session.Settings{Rules: c.Rules, Factors: factors(c, keys, client, s.keys, cards)})
	if old := s.duo.Swap(client); old != nil {
		old.Close()
	}
	if old := s.yubico.Swap(keys); old != nil {
		old.Close()
	}
	return nil
}

// factors builds the factors of conf.BuiltIn and root's bypass codes, in the order
// in which they see an answer: Duo is asked about what is no local token's.
func factors(c *conf.Config, keys *ykval.Client, client *authapi.Client, device key.Device, cards *proof.Trust) []factor.Factor {
	issuer := c.TOTP.Issuer
	if issuer == "" {
		issuer, _ = os.Hostname()
	}
	codes, otps := totp.New(totp.Config{Issuer: issuer, Window: c.TOTP.Window}), yubicoFactor(keys)
	all := []factor.Factor{codes, backup.New(backup.Config{}), backup.NewBypass(backup.Config{}), otps}
	all = append(all, localFactors(c, device, otps, codes, cards)...)
	if client != nil {
		all = append(all, duoFactor(c.Duo, client))
	}
	return all
}

// restorers are the factors that know what an older copy of their records can't be
// believed about, by the name under which they are kept. The window may have been
// another one when a code was used: the widest voids the most.
func restorers() map[string]factor.Restorer {
	holders := map[string]any{"invite": backup.NewInvite(backup.Config{})}
	for _, f := range factors(&conf.Config{TOTP: conf.TOTP{Window: conf.MaxWindow}}, nil, nil, nil, nil) {
		holders[f.Name()] = f
	}
	all := map[string]factor.Restorer{}
	for name, h := range holders {
		if r, ok := h.(factor.Restorer); ok {
			all[name] = r
		}
	}
	return all
}

// reloadOn re-reads the configuration at every signal.
func (s *settings) reloadOn(ctx context.Context, hangup <-chan os.Signal, o options, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		}
		if err := s.reload(o, log); err != nil {
			log.Error("the new configuration is refused, the old one stays", "error", err)
			why := err.Error()
			s.refused.Store(&why)
			continue
		}
		s.refused.Store(nil)
		log.Info("configuration read again", "rules", len(s.conf.Load().Rules))
	}
}

// wire puts the parts together.
func wire(o options, s *settings, db *store.Store, log *slog.Logger) *daemon.Server {
	// A factord that ended now would not start again with the file as it is.
	server := &daemon.Server{Log: log, Crowd: collectFor, Stay: func() bool { return s.refused.Load() != nil }}
	server.Sessions = session.New(session.Config{
		Store:    db,
		Users:    session.NewNSS(),
		Places:   logind.New(logind.Config{Log: log}),
		Settings: func() session.Settings { return *s.session.Load() },
		Bypass:   backup.NewBypass(backup.Config{}),
		Invite:   backup.NewInvite(backup.Config{}),
		Log:      log,
		Refused:  s.copies.Refused,
		Plugged:  plugged(s.keys),
		Check: func(ctx context.Context) {
			if client := s.duo.Load(); client != nil {
				client.Check(ctx) // what comes of it is in its health
			}
		},
		Status: func() map[string]any {
			status := map[string]any{"factord": 1, "ready": true, "pid": os.Getpid(), "uid": os.Getuid(),
				"config": o.config, "state": o.state, "rules": len(s.conf.Load().Rules), "connections": server.Connections(), "keys": reach(s.keys)}
			if why := s.refused.Load(); why != nil {
				status["config_refused"] = *why
			}
			if client := s.duo.Load(); client != nil {
				status["duo"] = duo.Status(client.Health(), time.Now())
			}
			strict, lost := s.copies.Status()
			status["audit_strict"], status["audit_lost"] = strict, lost
			status["audit_copies"] = slices.Sorted(maps.Keys(lost))
			return status
		},
	})
	return server
}

// checkConfig says what is wrong with the configuration.
func checkConfig(o options, stdout io.Writer) error {
	c, err := configuration(o)
	if err != nil {
		return err
	}
	doubts, err := c.CheckKeys(o.config, o.config == conf.DefaultFile)
	if err != nil {
		return err
	}
	for _, w := range slices.Concat(c.Warnings, c.Doubts(o.config), doubts) {
		fmt.Fprintf(stdout, "warning: %s\n", w)
	}
	fmt.Fprintf(stdout, "%s: %s\n", o.config, c.Summary())
	return nil
}
