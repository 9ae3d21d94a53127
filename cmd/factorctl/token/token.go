// Package token shows a new factor to the person who has to take something from
// it, and computes the codes of a TOTP token for the demo, which stands in for
// that person's phone.
package token

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/factord/factord/daemon/qr"
	"github.com/factord/factord/daemon/wire"
)

// Shown is a new factor, as factord sends it once.
type Shown struct {
	ID     string   `json:"id"`
	Factor string   `json:"factor"`
	Name   string   `json:"name"`
	URI    string   `json:"uri"`   // otpauth, of a code token
	Codes  []string `json:"codes"` // of a set of backup codes
	Voids  []string `json:"voids"` // the sets whose codes are void now
	// Activation is for Duo Mobile, and Link leads to a picture of its QR code. Without
	// it, Link leads to Duo's own pages.
	Activation string `json:"activation"`
	Link       string `json:"link"`
	// Command puts Secret, of hexadecimal digits, into a YubiKey's slot.
	Command string `json:"command"`
	Secret  string `json:"secret"`
	// Token is for what a YubiKey types that is plugged in, and Added if it is new.
	Token string `json:"token"`
	Added bool   `json:"token-added"`
	// About says all of a key in a line.
	About string `json:"about"`
}

// Show writes what the person named whom has to take from s. columns is the
// width of the terminal, for a QR code, or 0: then there is none.
func (s Shown) Show(out io.Writer, whom string, columns int) error {
	if len(s.Codes) > 0 {
		s.showCodes(out, whom)
	}
	switch {
	case s.Activation != "":
		return s.showActivation(out, whom, columns)
	case s.Link != "":
		_, err := fmt.Fprintf(out, "The account at Duo for %s is there already, and has no phone. Set it up at:\n%s\n\n", whom, wire.Printable(s.Link))
		return err
	case s.Command != "":
		return s.showCommand(out)
	case s.Token != "":
		return s.showToken(out)
	case s.About != "":
		_, err := fmt.Fprintf(out, "%s.\n", wire.Printable(s.About))
		return err
	case s.URI == "":
		return nil
	}
	fmt.Fprintf(out, "New %s token for %s:\n\n", wire.Printable(s.Factor), whom)
	if columns > 0 {
		if err := drawQR(out, s.URI, columns, "type the secret into the app"); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "Secret: %s\nURI:    %s\n\n", wire.Printable(groups(secretOf(s.URI))), wire.Printable(s.URI))
	return err
}

// ShowBrought is Show for a token whose secret was given with the wish for it: who has
// it needs it from nobody, and who enrols tokens of others has no use for it on a screen.
func (s Shown) ShowBrought(out io.Writer, whom string, confirm bool) error {
	if s.URI == "" {
		return nil
	}
	_, err := fmt.Fprintf(out, "New %s token for %s, with the secret that was given: %s, name %q\n", wire.Printable(s.Factor), whom, wire.Printable(s.ID), wire.Printable(s.Name))
	if err == nil && confirm {
		_, err = fmt.Fprintf(out, "Let the token show a code, and type that.\n")
	}
	return err
}

// showCommand keeps the secret out of the command, which the shell would remember.
func (s Shown) showCommand(out io.Writer) error {
	_, err := fmt.Fprintf(out, "In another terminal, put this secret into the YubiKey. What the slot holds now is\nlost.\n\nCommand: %s\nSecret that it asks for: %s\n\n",
		wire.Printable(s.Command), wire.Printable(s.Secret))
	return err
}

func (s Shown) showToken(out io.Writer) error {
	added := ""
	if s.Added {
		added = ", which is new: its OTPs can be typed too"
	}
	_, err := fmt.Fprintf(out, "The YubiKey types for the token %s%s.\n", wire.Printable(s.Token), added)
	return err
}

func (s Shown) showActivation(out io.Writer, whom string, columns int) error {
	fmt.Fprintf(out, "New account at Duo for %s. In the app Duo Mobile: Add account, Use QR code.\n\n", whom)
	if columns > 0 {
		if err := drawQR(out, s.Activation, columns, "open the link on the phone"); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "The same as a picture: %s\n\n", wire.Printable(s.Link))
	return err
}

func drawQR(out io.Writer, uri string, columns int, otherwise string) error {
	code, err := qr.Encode(uri)
	if err != nil {
		return err
	}
	drawing := code.Coloured()
	if code.Width > columns {
		drawing = fmt.Sprintf("(The QR code needs %d columns, and this terminal has %d: make it wider and\nenrol again, or %s.)\n", code.Width, columns, otherwise)
	}
	_, err = fmt.Fprintf(out, "%s\n", drawing)
	return err
}

func (s Shown) showCodes(out io.Writer, whom string) {
	fmt.Fprintf(out, "Backup codes for %s, each good for one login. Keep them on paper, not on this\nmachine; they are not shown again.\n\n", whom)
	for pair := range slices.Chunk(s.Codes, 2) {
		fmt.Fprintf(out, "  %s\n", wire.Printable(strings.Join(pair, "    ")))
	}
}

// secretOf is the base32 secret in an otpauth URI.
func secretOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return u.Query().Get("secret")
}

// groups splits s into fours, as one types it.
func groups(s string) string {
	var fours []string
	for four := range slices.Chunk([]byte(s), 4) {
		fours = append(fours, string(four))
	}
	return strings.Join(fours, " ")
}
