package ctl

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// about is what "enroll FACTOR --help" says of one factor.
type about struct {
	text    string
	flags   []string // that it has beside --user
	example string
}

// aboutFactor is of the factors that this factorctl knows; others factord may know.
func aboutFactor(name string) (about, bool) {
	a, ok := map[string]about{
		"totp": {`Codes of an authenticator app, which change every 30 seconds.

  needs   an app on a phone, and clocks that are about right there and here
  shows   a QR code for the app, and the secret below it for one that can't scan
  asks    the code that the app shows then; there are three tries`,
			[]string{"name", "no-confirm", "secret-file", "algorithm", "digits", "period"},
			"  factorctl enroll totp --name phone\n  sudo factorctl enroll totp --user alice --no-confirm --json"},
		"hotp": {`Codes of a token that counts, on a keyring or typed by a security key. Rules call this
factor "totp".

  needs   the secret, for a token that has one (--secret-file); else an app that counts
  shows   a QR code for the app, unless the secret was brought
  asks    the token's next code; there are three tries`,
			[]string{"name", "no-confirm", "secret-file", "algorithm", "digits", "look-ahead", "counter", "prefix"},
			"  factorctl enroll hotp --secret-file ./token.txt --digits 8"},
		"backup": {`Ten codes on paper, each good for one login, for the day when all else is lost.

  needs   paper: they are shown once
  shows   the codes. Those that were made before are void from then on
  asks    nothing`,
			[]string{"name"},
			"  factorctl enroll backup\n  sudo factorctl enroll backup --user alice"},
		"yubico": {`A YubiKey that types its one-time password (OTP) into whatever prompt is open, also
over SSH.

  needs   a [[yubico.server]] in factord.toml that knows the key, as Yubico's own does
          as it comes from the factory; or the key's secrets, which only root may give
  asks    a touch of the key, which types; with the secrets nothing`,
			[]string{"name", "no-confirm", "public-id", "private-id-file", "aes-key-file"},
			"  factorctl enroll yubico --name blue\n  sudo factorctl enroll yubico --user alice --public-id vvcccccchbtu --private-id-file ./id --aes-key-file ./key"},
		"touch": {`A YubiKey that is plugged into this machine and types its OTP when it is touched; factord
captures it before any window sees it.

  needs   the key in this machine, where you sit, and what verifies its OTP, as for
          "yubico" or "hotp". A token that is not enrolled yet is, too
  asks    one touch, when you are told to; no Enter`,
			[]string{"name", "serial", "scan-map", "public-id", "private-id-file", "aes-key-file"},
			"  factorctl enroll touch"},
		"hmac": {`The challenge-response slot of a YubiKey that is plugged into this machine.

  needs   the key in this machine, where you sit, a free slot, and ykman; or the slot's
          secret (--secret-file, 40 hexadecimal digits), if it is programmed already
  shows   a ykman command that puts a new secret into the slot: run it in another
          terminal. What was in the slot is lost
  asks    Enter when that is done, and then two touches`,
			[]string{"name", "slot", "serial", "secret-file", "no-presence"},
			"  factorctl enroll hmac --slot 2"},
		"piv": {`The key in a smart-card slot of a YubiKey that is plugged into this machine.

  needs   the YubiKey in this machine, where you sit, pcscd, and a key pair in the slot:
          ykman piv keys generate --pin-policy ONCE --touch-policy ALWAYS 9a -
  asks    the PIN, if the key demands one, and then a touch, if it demands that`,
			[]string{"name", "slot", "serial", "no-presence"},
			"  factorctl enroll piv\n  factorctl enroll piv --slot 9c --serial 12345678"},
		"fido2": {`A security key (FIDO2) of any maker that is plugged into this machine.

  needs   the key in this machine, where you sit; for --verification pin a PIN on it
  asks    two touches, when you are told to; with --verification also the PIN, or a
          finger, at each login`,
			[]string{"name", "serial", "verification"},
			"  factorctl enroll fido2 --name blue\n  factorctl enroll fido2 --verification pin"},
		"duo": {`A new account at Duo, with Duo Mobile on a phone. It is kept at Duo alone: "list" does
not show it.

  needs   [duo] in factord.toml
  shows   a QR code for Duo Mobile, or, of an account that was begun before, the
          address of Duo's page for it
  asks    Enter when the phone is set up`,
			nil,
			"  factorctl enroll duo"},
	}[name]
	return a, ok
}

// tellOf makes the help of enroll that of the factor which is among args, if one is.
func tellOf(enroll *cobra.Command, args []string) {
	at := slices.IndexFunc(args, func(arg string) bool { _, ok := aboutFactor(arg); return ok })
	if at < 0 {
		return
	}
	a, _ := aboutFactor(args[at])
	enroll.Use = "enroll " + args[at] + " [--user USER] [FLAG...]"
	enroll.Long = a.text + `

Who is not root proves a factor first, or, without any yet, gives the invitation that
root has made (factorctl invite).`
	enroll.Example = a.example
	enroll.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { f.Hidden = f.Name != "user" && !slices.Contains(a.flags, f.Name) })
}
