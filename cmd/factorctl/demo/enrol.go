package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/factord/factord/cmd/factorctl/dialog"
	"github.com/factord/factord/cmd/factorctl/token"
	"github.com/factord/factord/daemon/wire"
)

const (
	// scanTime is how long somebody has to scan the QR code before the demo
	// goes on by itself.
	scanTime = 30 * time.Second
	// skew is how far off, in steps, the clock of a phone may be when it
	// confirms the enrolment.
	skew = 2
)

// enrolToken enrols a TOTP token and returns it as a phone would have it, and
// the step whose code the confirmation has spent.
func (s *show) enrolToken(ctx context.Context) (phone *token.Clock, spent int64, err error) {
	p := &person{show: s, ctx: ctx}
	if err := s.enrol(ctx, "totp", p, p.see); err != nil {
		return nil, 0, err
	}
	if p.phone == nil {
		return nil, 0, errors.New("factord asked for no first code")
	}
	s.say("The code is right: the token is enrolled.\n\n")
	return p.phone, p.spent, nil
}

// enrolBackup makes backup codes.
func (s *show) enrolBackup(ctx context.Context) ([]string, error) {
	var codes []string
	err := s.enrol(ctx, "backup", &person{show: s, ctx: ctx}, func(new token.Shown) error {
		codes = new.Codes
		return nil
	})
	if err == nil && len(codes) == 0 {
		err = errors.New("factord made no backup codes")
	}
	if err == nil {
		s.say("%d backup codes are made; the first is %s.\n\n", len(codes), wire.Printable(codes[0]))
	}
	return codes, err
}

// enrol is factorctl enroll.
func (s *show) enrol(ctx context.Context, factor string, conv wire.Conversation, see func(token.Shown) error) error {
	var failed error
	command := wire.Command(wire.VerbEnroll, "factor", factor, "user", s.user)
	err := s.sandbox.Call(ctx, command, conv, func(line []byte) {
		var new token.Shown
		if failed = json.Unmarshal(line, &new); failed == nil {
			failed = see(new)
		}
	})
	var refused *wire.Refused
	if errors.As(err, &refused) && !s.sandbox.namespace {
		err = fmt.Errorf("%w\nhint: this kernel lets no user make a namespace, so the demo has to run as root: sudo factorctl demo", err)
	}
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("enrolling %s: %w", factor, err)
	}
	return nil
}

// person is who enrols: somebody with a phone, if there is a terminal, else the
// demo itself.
type person struct {
	*show
	ctx   context.Context
	phone *token.Clock
	spent int64
	asked int
}

// see takes the new token.
func (p *person) see(new token.Shown) (err error) {
	if p.phone, err = token.ParseClock(new.URI); err != nil {
		return err
	}
	p.say("$ factorctl enroll totp\n")
	if p.JSON {
		return nil
	}
	return new.Show(p.Out, p.user, dialog.Columns(p.Out))
}

// Info implements wire.Conversation.
func (p *person) Info(text string) { p.say("%s\n", text) }

// Ask implements wire.Conversation.
func (p *person) Ask(kind, _ string) ([]byte, wire.Reply) {
	if kind != wire.Prompt || p.phone == nil {
		return nil, wire.ReplyCancel
	}
	p.asked++
	code := ""
	if p.asked < 3 { // the last of three answers had better be right
		code = p.scanned()
	}
	if p.ctx.Err() != nil {
		return nil, wire.ReplyCancel
	}
	if code == "" {
		code = p.phone.Code(p.phone.Step(time.Now()))
		p.say("The demo answers for you: %s\n", code)
	}
	p.spent, _ = p.phone.Find(strings.ReplaceAll(code, " ", ""), time.Now(), skew)
	return []byte(code), wire.ReplyAnswer
}

// scanned is the code that somebody has read from a phone, "" if nobody has.
func (p *person) scanned() string {
	terminal := p.Dialog.Terminal()
	if p.JSON || terminal == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(p.ctx, scanTime)
	defer cancel()
	code, err := terminal.Ask(ctx, fmt.Sprintf("Scan it with an authenticator app and type the code it shows, or just press Enter.\n(In %d seconds the demo goes on by itself.) Code: ", int(scanTime.Seconds())))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(code))
}
