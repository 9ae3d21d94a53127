// Package conf reads factord.toml.
//
// A mistake in this file opens a machine or locks its people out, so nothing in it is skipped or guessed: an unknown key,
// a contradiction or a rule that is never reached is an error that names file, line and key, and all errors are reported
// at once. What is left out has a default; with no rule at all every login is refused.
//
// A section is a type and a read function in a file of its own, and one line in Config.read.
package conf

import (
	"errors"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/factord/factord/daemon/policy"
)

// Config is what a valid file says.
type Config struct {
	Daemon   Daemon
	TOTP     TOTP
	Audit    Audit
	Duo      *Duo // nil: there is no [duo]
	Yubico   []YubicoServer
	USB      USB
	FIDO2    FIDO2
	PIV      PIV
	Rules    policy.Rules
	Warnings []string // of what is permitted but surely not meant, one line each
}

// Parse reads a configuration. Errors and warnings call it name. Factors in known are built into this factord; other
// ones may be named in a rule, with a warning.
func Parse(name string, data []byte, known Factors) (*Config, error) {
	lines, tooDeep := locate(data)
	if tooDeep != nil {
		tooDeep.File = name
		return nil, tooDeep
	}
	r := &report{file: name, lines: lines}
	var tree map[string]any
	if _, err := toml.Decode(string(data), &tree); err != nil {
		return nil, syntaxError(name, data, err)
	}
	c := new(Config)
	c.read(&table{report: r, values: tree}, known)
	if err := r.err(); err != nil {
		return nil, err
	}
	c.Warnings = r.warnings
	return c, nil
}

func (c *Config) read(file *table, known Factors) {
	c.Daemon = readDaemon(file.section("daemon"))
	c.TOTP = readTOTP(file.section("totp"))
	c.Audit = readAudit(file.section("audit"))
	c.Duo = readDuo(file)
	c.Yubico = readYubico(file.section("yubico"))
	c.USB = readUSB(file.section("usb"))
	c.FIDO2 = readFIDO2(file.section("fido2"))
	c.PIV = readPIV(file.section("piv"))
	c.Rules = readRules(file, known)
	warnUnasked(file, c.Yubico, c.Rules)
	file.done()
}

// syntaxError names the line as every other error does. The decoder quotes what it
// found there, which may be a secret without its quotes.
func syntaxError(name string, data []byte, err error) error {
	var syntax toml.ParseError
	if !errors.As(err, &syntax) {
		return fmt.Errorf("%s: %w", name, err)
	}
	e := &Error{File: name, Line: syntax.Position.Line, Key: syntax.LastKey}
	e.What = strings.TrimSuffix(strings.TrimPrefix(syntax.Message, "toml: "), ".")
	if rest, ok := strings.CutPrefix(e.What, "Key "); ok { // it quotes no more than that
		e.What = "key " + rest
	} else if !mayShow(e.Key + lineAt(data, e.Line)) {
		e.What, e.Hint = "the line is not TOML", "put the value in quotes; it may be a secret and is not shown"
	}
	switch {
	case likePamDuo(data, e.Line):
		e.Hint = `this looks like login_duo.conf: duo.md (beside the README, or in packaging/doc) says at "From pam_duo or login_duo" what stands for each line; texts are in quotes here, comments behind #`
	case strings.HasPrefix(strings.TrimSpace(lineAt(data, e.Line)), ";"):
		e.Hint = "a comment begins with #"
	case strings.HasPrefix(strings.TrimSpace(lineAt(data, e.Line)), "[rule]"):
		e.Hint = arrayHint("rule")
	case e.Hint == "" && bareDuration(lineAt(data, e.Line)):
		e.Hint = "a duration stands in quotes"
	case e.Hint == "" && strings.Contains(e.What, "expected value but found"):
		e.Hint = "a text stands in quotes"
	}
	if line := unclosed(data); line > 0 && line <= e.Line && strings.Contains(e.What, "expected a comma") {
		e.Hint = fmt.Sprintf("is the list that begins in line %d closed?", line)
	}
	return e
}

// bareDuration reports whether what a line sets begins as 8h or 90m does.
func bareDuration(line string) bool {
	_, value, _ := strings.Cut(line, "=")
	value = strings.TrimSpace(value)
	unit := strings.TrimLeft(value, "0123456789.")
	return unit != value && unit != "" && strings.ContainsRune("smhdw", rune(unit[0]))
}

// lineAt returns a line, counted from 1.
func lineAt(data []byte, n int) string {
	for line := range strings.Lines(string(data)) {
		if n--; n == 0 {
			return line
		}
	}
	return ""
}
