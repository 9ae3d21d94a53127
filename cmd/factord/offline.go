package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/factord/factord/daemon/store"
)

// backUp writes the sealed database to a new file.
func backUp(o options, stdout io.Writer) error {
	var found store.Contents
	var size int64
	err := store.WriteNew(o.backup, func(w io.Writer) error {
		return onState(o, func(c store.Config, _ bool) (err error) {
			found, size, err = store.Backup(c, w)
			return err
		})
	})
	if err != nil {
		return err
	}
	warn(damage(found))
	fmt.Fprintf(stdout, "%s: %s, %d bytes\nThe seal key is not in it, and nothing else opens it: keep the two apart.\n", o.backup, describe(found), size)
	return nil
}

// restore puts a backup in the place of the database.
func restore(o options, stdout io.Writer) error {
	from, err := os.OpenFile(o.restore, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe must not keep us waiting
	if err != nil {
		return err
	}
	defer from.Close()
	known := restorers()
	var done store.Restoration
	err = onState(o, func(c store.Config, _ bool) (err error) {
		done, err = store.Restore(c, from, known)
		return err
	})
	if err != nil {
		return err
	}
	warn(done.Warnings)
	again := "within six minutes"
	if done.Ahead() {
		again = "after " + stamp(done.Seen)
	}
	fmt.Fprintf(stdout, "restored %s: %s\nNow it is generation %d, and this clock says %s. What may have been used since the backup is void:\nTOTP tokens count again %s, HOTP tokens need \"factorctl resync\", everybody needs new backup codes, and nobody is remembered.\n"+
		"For a resync give only codes that the token shows now, never ones from before.\n"+
		"Who was enrolled or removed since the backup is not any more: look through \"factorctl list\".\n", o.restore, describe(done.Contents), done.Generation, stamp(done.Clock), again)
	if done.Kept != "" {
		fmt.Fprintf(stdout, "The database that was there is kept as %q; --restore takes it back.\n", done.Kept)
	}
	return nil
}

// rekey seals the database with another key.
func rekey(o options, stdout io.Writer) error {
	_, credential, err := store.ReadCredential(os.Getenv("CREDENTIALS_DIRECTORY"))
	if err != nil {
		return fmt.Errorf("reading the seal key: %w", err)
	}
	if credential && o.newKeyFile == "" {
		return fmt.Errorf("the seal key is a credential, which factord can't change\nhint: --rekey --new-key-file FILE makes the new one; then put that file in the place of /etc/credstore/seal-key, or of what LoadCredential= of factord.service names")
	}
	if !credential {
		warn(forgottenCredential(credstoreKey, withStore))
		warn(forgottenCredential(encryptedKey, withSystemd))
	}
	next, made := store.NewKey(), false
	if o.newKeyFile != "" { // in a folder of root's, so with root's rights
		if next, made, err = store.MakeKeyFile(o.newKeyFile); err != nil {
			return err
		}
	}
	defer clear(next[:])
	var found store.Contents
	err = onState(o, func(c store.Config, credential bool) (err error) {
		found, err = store.Rekey(c, next, !credential)
		return err
	})
	if err != nil {
		return err
	}
	warn(damage(found))
	fmt.Fprintf(stdout, "sealed anew: %s\n", describe(found))
	if made {
		fmt.Fprintf(stdout, "%s was made with the new key.\n", o.newKeyFile)
	}
	if credential {
		fmt.Fprintf(stdout, "Now put %s in the place of the credential: /etc/credstore/seal-key, or what LoadCredential= of factord.service\nnames, or encrypted anew, that of LoadCredentialEncrypted=. With the old one factord does not start.\n", o.newKeyFile)
	} else {
		fmt.Fprintf(stdout, "The new key is in %s.\n", filepath.Join(o.state, store.KeyFile))
	}
	fmt.Fprintln(stdout, "Nothing made so far opens with it: backups need the old key, so remove those whose key you have not kept. Make a new one now.")
	if kept, _ := filepath.Glob(filepath.Join(o.state, store.KeptPattern)); len(kept) > 0 {
		fmt.Fprintf(stdout, "So does what restores have kept: %s\n", strings.Join(quoted(kept), ", "))
	}
	return nil
}

// Where the documentation has the seal key where it is a credential, in the clear or as
// systemd-creds(1) encrypts it, and how a command gets it from there.
const (
	credstoreKey = "/etc/credstore/seal-key"
	encryptedKey = "/etc/credstore.encrypted/seal-key"
	withStore    = "CREDENTIALS_DIRECTORY=/etc/credstore before it"
	withSystemd  = "systemd-run --pipe --wait -p LoadCredentialEncrypted=seal-key before it"
)

// forgottenCredential warns of a credential that nobody has named: the service
// would go on with it after the database has another key.
func forgottenCredential(path, with string) []string {
	if _, err := os.Lstat(path); err != nil {
		return nil
	}
	return []string{fmt.Sprintf("%s exists, and is not used here; if factord.service has it as its credential, it does not open the database after this: "+
		"then --rekey needs %s, and --new-key-file", path, with)}
}

// quoted are names as they can be shown: whoever owns the directory has chosen them.
func quoted(names []string) []string {
	for i := range names {
		names[i] = strconv.Quote(names[i])
	}
	return names
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// describe says what a database holds.
func describe(c store.Contents) string {
	text := fmt.Sprintf("%d users with %d records, generation %d", c.Users, c.Records, c.Generation)
	if c.Highest.Unix() > 0 {
		text += ", last changed at " + stamp(c.Highest)
	}
	return text
}

// damage are the warnings of what does not verify or unseal.
func damage(c store.Contents) (all []string) {
	if c.Chain != nil {
		all = append(all, fmt.Sprintf("the audit chain is broken: %v", c.Chain))
	}
	for _, place := range c.Damaged {
		all = append(all, "damaged: "+place)
	}
	return all
}

// maxWarnings is how many a person reads.
const maxWarnings = 50

func warn(all []string) {
	for i, text := range all {
		if i == maxWarnings {
			fmt.Fprintf(os.Stderr, "factord: warning: and %d more\n", len(all)-i)
			return
		}
		fmt.Fprintf(os.Stderr, "factord: warning: %s\n", text)
	}
}
