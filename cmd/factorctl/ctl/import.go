package ctl

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/factord/factord/cmd/factorctl/client"
	"github.com/factord/factord/daemon/wire"
)

const (
	// maxImport is the longest file of an import, in bytes, and maxUsers of its users.
	// factord has limits of its own, which are not higher.
	maxImport = 256 << 10
	maxUsers  = 128 << 10
	// part is how much of it is sent in one answer.
	part = 8 << 10

	// unnamedImport is the factor whose files don't say whose the keys are; others may.
	// They have secrets.
	unnamedImport = "yubico"
)

// imported is what an import has made.
type imported struct {
	Imported []struct {
		User string `json:"user"`
		ID   string `json:"id"`
		Name string `json:"name"`
		// Already: it was enrolled before.
		Already bool   `json:"already"`
		Note    string `json:"note"`
		// Detail is by what else it is known: public-id, serial.
		Detail map[string]string `json:"detail"`
	} `json:"imported"`
	Note string `json:"note"` // what was assumed
	Left int    `json:"left"`
}

func (a *app) importCommand() *cobra.Command {
	var user, users, factor, origin string
	cmd := &cobra.Command{
		Use: "import FILE [--users FILE] [--user USER] [--factor FACTOR] [--origin ORIGIN]", Args: oneArgument("the FILE"),
		Long: `Enrols many YubiKeys by their secrets, from a file as ykman, Yubico's Personalization
Tool (format "Yubico") and yubikey-ksm write it, a key on each line:

  SERIAL,PUBLIC-ID,PRIVATE-ID,AES-KEY,ACCESS-CODE,TIME,

All of them are kept, or none: what is wrong is said with its line, and so is a key that
is enrolled already. Whose the keys are, the file does not say. A second one does, which
has no secrets, with a line

  KEY,USER   or   KEY,USER,NAME

for each key that is somebody's, KEY being its public id or serial number. Keys without
such a line are left out, so that the same file serves again, with a file of users that
has the new people only. With --user all are that user's. Only root may do this.

Files of security keys that are plugged into this machine (fido2) have no secrets:

  a mapping file of pam_u2f, as pamu2fcfg writes it: the keys of all its users, or with
  --user of one. If the PAM configuration gives pam_u2f an origin, --origin is the same
  (appid for keys of the time before 1.1.0); without, it was "pam://" and this
  machine's name

  an OpenSSH key file of the type ecdsa-sk or ed25519-sk, not encrypted, with --user

The file's form tells which it is. One with secrets must not be readable by others;
remove it afterwards. One that is encrypted can be piped: gpg --decrypt keys.asc | factorctl import /dev/stdin …`,
		Example: "  sudo factorctl import keys.csv --users users.csv\n  sudo factorctl import keys.csv --user alice\n" +
			"  sudo factorctl import /etc/u2f_mappings\n  sudo factorctl import id_ed25519_sk --user alice",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "all keys are `USER`'s")
	cmd.Flags().StringVar(&users, "users", "", "whose the keys are, from `FILE`")
	cmd.Flags().StringVar(&factor, "factor", "", "`FACTOR` whose file it is, yubico or fido2; its form tells, if left out")
	cmd.Flags().StringVar(&origin, "origin", "", "pam_u2f's option of that name, if it had one: `ORIGIN`")
	return a.does(cmd, func(ctx context.Context, args []string) error {
		noOwner := usagef("one of --users and --user says whose the keys are")
		if user != "" && users != "" || user == "" && users == "" && factor == unnamedImport {
			return noOwner
		}
		c := &courier{factor: factor}
		defer func() { clear(c.all) }()
		err := c.load(ctx, args[0], users, user != "")
		command := wire.Command(wire.VerbImport, "factor", cmp.Or(c.factor, unnamedImport), "user", user, "origin", origin)
		if err != nil {
			return cmp.Or(a.notPermitted(ctx, command), err)
		}
		if user == "" && users == "" && c.factor == unnamedImport {
			return noOwner
		}
		document, err := a.client().Document(ctx, command, c)
		if err != nil {
			return err
		}
		return tell(a, document, a.showImported)
	})
}

// showImported tells what has become of a file.
func (a *app) showImported(done imported) {
	before := 0
	for _, one := range done.Imported {
		line := fmt.Sprintf("%s %s", text(one.User), text(one.ID))
		if one.Name != one.ID {
			line += fmt.Sprintf(" %q", text(one.Name))
		}
		if details := (item{Detail: one.Detail}).details(time.Now()); details != "" {
			line += "  " + details
		}
		if one.Already {
			before++
			line += "  (enrolled already)"
		}
		a.printf("%s\n", line)
		if one.Note != "" {
			a.printf("  note: %s\n", text(one.Note))
		}
	}
	summary := fmt.Sprintf("%d imported", len(done.Imported)-before)
	if before > 0 {
		summary += fmt.Sprintf(", %d were enrolled already", before)
	}
	if done.Left > 0 {
		summary += fmt.Sprintf(", %d of the file belong to nobody", done.Left)
	}
	a.printf("%s\n", summary)
	if done.Note != "" {
		a.printf("note: %s\n", text(done.Note))
	}
}

// notPermitted is factord's refusal if the caller may not do this at all: what is wrong
// with their files is then not theirs to mend. nil: they may, or factord can't be asked.
func (a *app) notPermitted(ctx context.Context, command string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	err := a.client().Call(ctx, command, client.Nobody{}, func([]byte) {})
	var refused *wire.Refused
	if errors.As(err, &refused) && refused.Code == wire.ReasonNotPermitted.Code() {
		return err
	}
	return nil
}

// courier is a wire.Conversation that gives files, part after part. An empty part is
// the end of each.
type courier struct {
	factor string // whose file it is
	all    []byte
	parts  [][]byte
}

// load reads the file with the keys, and the one with users, if there is one. Of a file that
// is no one's, factord asks for users, and hears that there are none.
func (c *courier) load(ctx context.Context, keys, users string, owned bool) error {
	var mode fs.FileMode
	var err error
	c.all, err = awaited(ctx, func() (text []byte, err error) {
		text, mode, err = boundedFile(keys, maxImport)
		return text, err
	})
	if err == nil {
		c.factor, err = importedBy(c.factor, keys, c.all)
	}
	switch {
	case err != nil:
	case c.factor == unnamedImport:
		err = unreadable(keys, mode)
	case mode.Perm()&0o022 != 0: // who can write it could put in a key of their own
		err = fmt.Errorf("%s: mode %04o lets others change it\nhint: see that all of its keys are right, then chmod 644 %s", keys, mode.Perm(), keys)
	}
	if err != nil {
		return fmt.Errorf("reading the keys: %w", err)
	}
	c.add(c.all)
	if users == "" {
		if !owned {
			c.add(nil)
		}
		return nil
	}
	f, err := os.Open(users)
	if err != nil {
		return err
	}
	defer f.Close()
	owners, err := io.ReadAll(io.LimitReader(f, maxUsers+1))
	if err == nil && len(owners) > maxUsers {
		err = fmt.Errorf("%s is longer than %d bytes", users, maxUsers)
	}
	c.add(owners)
	return err
}

func (c *courier) add(text []byte) {
	for len(text) > 0 {
		n := min(len(text), part)
		c.parts, text = append(c.parts, text[:n]), text[n:]
	}
	c.parts = append(c.parts, nil)
}

// Info implements wire.Conversation.
func (c *courier) Info(string) {}

// Ask implements wire.Conversation.
func (c *courier) Ask(kind, _ string) ([]byte, wire.Reply) {
	if kind != wire.Seed || len(c.parts) == 0 {
		return nil, wire.ReplyCancel
	}
	next := bytes.Clone(c.parts[0]) // it is wiped
	c.parts = c.parts[1:]
	return next, wire.ReplyAnswer
}
