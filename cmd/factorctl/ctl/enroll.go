package ctl

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/factord/factord/cmd/factorctl/dialog"
	"github.com/factord/factord/cmd/factorctl/token"
	"github.com/factord/factord/daemon/wire"
)

// enrolment is what enroll was told.
type enrolment struct {
	factor, user, name string
	noConfirm          bool
	noPresence         bool
	secretFile         string
	privateIDFile      string // of a YubiKey
	aesKeyFile         string
	options            []string // key, value, key, value…
}

func (a *app) enrollCommand() *cobra.Command {
	var e enrolment
	cmd := &cobra.Command{
		Use: "enroll FACTOR [--user USER] [--name NAME] [FLAG...]", Args: oneArgument("the FACTOR (totp, for example)"),
		Long: `Sets up a factor:

  totp     codes of an authenticator app, which change every 30 seconds. The QR code
           is for the app; the code that it then shows confirms that all is well
  hotp     codes of a token that counts (also typed by a security key)
  backup   ten codes on paper, each good for one login. New ones replace the old
  yubico   a YubiKey that types its OTP: touch it once, and the validation server that
           factord asks confirms it. With its secrets, which only root may give, no
           server is needed. Many at once: factorctl import
  touch    a YubiKey that is plugged into this machine and types its OTP when it is
           touched: touch it once, when you are told to. It is linked to the token
           (yubico, hotp) that its OTP is of; one that is not enrolled yet is, as by
           "enroll yubico"
  hmac     a YubiKey's challenge-response slot (--slot). A command is shown that puts a
           new secret into the slot; then the slot is tried
  piv      the key that is in a slot of a YubiKey (--slot, 9a if left out), which is plugged
           in: its PIN is asked for, and it signs once. Whether it was made there and
           what it asks for is kept, if its attestation proves it
  fido2    a security key (FIDO2) that is plugged into this machine: touch it twice. With
           --verification pin each login takes its PIN too, with built-in a finger
  duo      a new account at Duo, where factord is set up for it. The QR code is for
           the app Duo Mobile. It is kept at Duo alone: "list" does not show it

What each needs, shows and asks: factorctl enroll FACTOR --help. Who is not root proves
a factor first, or, without any yet, gives the invitation that root has made (factorctl
invite).

The secret of a token that exists (--secret-file) is not shown, but with --json.

Answers are asked for on the terminal, or, when standard input is none, read from
there, one a line. With --json the object is printed before the first code is asked
for, since a program needs it to make one; whether the factor is enrolled is what
the exit status says.`,
		Example: `  factorctl enroll totp --name phone
  factorctl enroll backup
  sudo factorctl enroll totp --user alice --no-confirm --json
  factorctl enroll hotp --secret-file ./token.txt --digits 8
  factorctl enroll yubico --name blue
  factorctl enroll touch
  factorctl enroll hmac --slot 2
  factorctl enroll piv --serial 12345678
  factorctl enroll fido2 --name blue --verification pin
  sudo factorctl enroll yubico --user alice --public-id vvcccccchbtu --private-id-file ./id --aes-key-file ./key`,
	}
	flags := cmd.Flags()
	flags.StringVar(&e.user, "user", "", "enrol for `USER`; yourself if left out")
	flags.StringVar(&e.name, "name", "", "a `NAME` to tell it by, such as phone")
	flags.BoolVar(&e.noConfirm, "no-confirm", false, "ask for no first code (only root)")
	flags.StringVar(&e.secretFile, "secret-file", "", "take the secret of a token that exists from `FILE`: base32 or an otpauth\nURI; - is standard input's first line")
	flags.String("algorithm", "", "`HASH` of a code token: SHA1, SHA256 or SHA512")
	flags.Uint("digits", 6, "`N` digits in a code: 6 to 8")
	flags.Uint("period", 30, "seconds (`N`) that a TOTP code lasts")
	flags.Uint64("look-ahead", 10, "how many codes (`N`) an HOTP token may be ahead")
	flags.Uint64("counter", 0, "the counter (`N`) at which an HOTP token is")
	flags.String("prefix", "", "`TEXT` that an HOTP token types before its codes")
	flags.String("public-id", "", "what a YubiKey types before the last 32 characters: `ID`")
	flags.StringVar(&e.privateIDFile, "private-id-file", "", "take a YubiKey's private id from `FILE`: 12 hexadecimal digits (only root)")
	flags.StringVar(&e.aesKeyFile, "aes-key-file", "", "take a YubiKey's AES key from `FILE`: 32 hexadecimal digits (only root)")
	flags.String("slot", "", "the `SLOT` of a YubiKey: for hmac 1 or 2 (2 if left out), for piv 9a (if left\nout), 9c, 9d or 9e")
	flags.String("serial", "", "the key with the serial `NUMBER`, where several are plugged in")
	flags.String("verification", "", "what a security key asks of you beside the touch: pin or built-in (`HOW`)")
	flags.String("scan-map", "", "a YubiKey's own scan map, if it was changed: `HEX`, 90 digits")
	flags.BoolVar(&e.noPresence, "no-presence", false, "take a key that asks for neither touch nor PIN (only root): for rules with\npresence = false")
	return a.does(cmd, func(ctx context.Context, args []string) error {
		e.factor, e.options = args[0], given(flags)
		return a.enroll(ctx, e)
	})
}

// given returns the properties of a token that were said; factord knows which
// of them its factors have, and what they are otherwise.
func given(flags *pflag.FlagSet) []string {
	properties := []string{"algorithm", "digits", "period", "look-ahead", "counter", "prefix", "public-id", "slot", "serial", "scan-map", "verification"}
	var pairs []string
	flags.Visit(func(f *pflag.Flag) {
		if slices.Contains(properties, f.Name) {
			pairs = append(pairs, f.Name, f.Value.String())
		}
	})
	return pairs
}

func (a *app) enroll(ctx context.Context, e enrolment) error {
	d := a.dialog(ctx)
	defer d.Close()
	var err error
	if d.Seed, err = e.seed(ctx, d); err != nil {
		return err
	}
	a.noteRoot(e.user)
	var factor *token.Shown
	var failed error
	bare := false
	err = a.client().Calls(ctx, d, func(call func(string, func([]byte)) error) error {
		err := call(e.command(len(d.Seed) > 0), func(line []byte) {
			switch {
			case failed != nil:
			case factor != nil:
				failed = errors.New("factord showed more than one new factor")
			default:
				factor, failed = a.present(d, line, e)
			}
		})
		bare = err == nil && !a.json && e.lacksBackup(call)
		return err
	})
	if err = errors.Join(err, failed); err != nil {
		return blame(d, err)
	}
	if factor == nil {
		return errors.New("factord showed nothing of the new factor")
	}
	if a.json {
		return nil
	}
	a.printf("\n%s %s is enrolled for %s.\n", text(factor.Factor), text(factor.ID), whom(e.user))
	if len(factor.Voids) > 0 {
		a.printf("The codes of %s are void now.\n", list(factor.Voids, ""))
	}
	if e.secretFile != "" && e.secretFile != "-" {
		a.printf("Remove %s, if nothing else needs it: who has the secret has the token.\n", text(e.secretFile))
	}
	if bare {
		more := ""
		if e.user != "" {
			more = " --user " + text(e.user)
		}
		a.printf("There are no backup codes yet, for when this is lost: factorctl enroll backup%s\n", more)
	}
	return nil
}

// seed reads the secrets of a token that exists; of a YubiKey they are two.
func (e enrolment) seed(ctx context.Context, d *dialog.Dialog) ([]byte, error) {
	switch {
	case e.privateIDFile == "" && e.aesKeyFile == "":
		if e.secretFile == "" {
			return nil, nil
		}
		return readSecret(ctx, d, e.secretFile)
	case e.privateIDFile == "" || e.aesKeyFile == "":
		return nil, usagef("--private-id-file and --aes-key-file go together")
	case e.secretFile != "":
		return nil, usagef("--secret-file is not for a key with --private-id-file and --aes-key-file")
	}
	privateID, err := readSecret(ctx, d, e.privateIDFile)
	if err != nil {
		return nil, err
	}
	defer clear(privateID)
	aesKey, err := readSecret(ctx, d, e.aesKeyFile)
	defer clear(aesKey)
	return bytes.Join([][]byte{privateID, aesKey}, []byte{' '}), err
}

func (e enrolment) command(seed bool) string {
	flag := map[bool]string{true: "1"}
	pairs := []string{"factor", e.factor, "user", e.user, "name", e.name, "no-confirm", flag[e.noConfirm],
		"no-presence", flag[e.noPresence], "seed", flag[seed]}
	return wire.Command(wire.VerbEnroll, append(pairs, e.options...)...)
}

// present shows a new factor, to a person as a QR code, to a program as it came.
// A program that has a person at a terminal shows it to them too.
func (a *app) present(d *dialog.Dialog, line []byte, e enrolment) (*token.Shown, error) {
	factor, err := decode[token.Shown](line)
	if err != nil {
		return nil, err
	}
	if a.json {
		a.passOn(line)
		d.Ready = func() {
			if d.Terminal() != nil {
				e.show(d.Out(), factor)
			}
		}
		return &factor, nil
	}
	return &factor, e.show(a.Stdout, factor)
}

func (e enrolment) show(out *os.File, factor token.Shown) error {
	if e.secretFile != "" {
		return factor.ShowBrought(out, whom(e.user), !e.noConfirm)
	}
	return factor.Show(out, whom(e.user), dialog.Columns(out))
}
