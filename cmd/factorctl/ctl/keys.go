package ctl

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
)

// plugged is a key that is plugged in, and who has enrolled it.
type plugged struct {
	agent.Key
	Enrolled []struct {
		User   string `json:"user"`
		ID     string `json:"id"`
		Factor string `json:"factor"`
		Name   string `json:"name"`
	} `json:"enrolled"`
}

// pluggedKeys is the answer of KEYS.
type pluggedKeys struct {
	Keys  []plugged `json:"keys"`
	Notes []string  `json:"notes"`
}

func (a *app) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys", Args: noArguments,
		Long: `Shows the security keys that are plugged into this machine and what each can do; to root
also who has enrolled them, to others which are theirs, and only at the machine itself.
No key is touched, changed or asked for a PIN. A key that another program, or a login,
uses at this moment is shown as far as it can be looked at.`,
		Example: "  factorctl keys\n  sudo factorctl keys --json",
	}
	return a.does(cmd, func(ctx context.Context, _ []string) error {
		return ask(ctx, a, wire.Command(wire.VerbKeys), a.showKeys)
	})
}

func (a *app) showKeys(there pluggedKeys) {
	if len(there.Keys) == 0 {
		a.printf("no key is plugged in\n")
	} else {
		w := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "KEY\tSERIAL\tFIRMWARE\tCAN\tENROLLED")
		for _, k := range there.Keys {
			serial := "-"
			if k.Serial != 0 {
				serial = fmt.Sprint(k.Serial)
			}
			fmt.Fprintln(w, strings.Join([]string{text(cmp.Or(k.Name, k.Port)), serial, text(orDash(k.Firmware)), orDash(strings.Join(k.can(), ", ")), orDash(strings.Join(k.owners(), ", "))}, "\t"))
		}
		w.Flush()
	}
	for _, k := range there.Keys {
		if k.Note != "" {
			a.note(cmp.Or(k.Name, k.Port) + ": " + k.Note)
		}
	}
	for _, n := range there.Notes {
		a.note(n)
	}
}

// note prints a remark, with its hint on a line of its own.
func (a *app) note(s string) {
	for line := range strings.Lines(s) {
		a.printf("%s\n", text(strings.TrimSuffix(line, "\n")))
	}
}

// can names the factors that the key serves, as it is set up now.
func (k *plugged) can() (words []string) {
	for _, s := range k.Slots {
		switch {
		case s.Challenge:
			words = append(words, fmt.Sprintf("hmac (slot %d)", s.Number))
		case s.Configured:
			words = append(words, fmt.Sprintf("touch or hmac (slot %d)", s.Number))
		}
	}
	if k.FIDO != nil {
		how := ""
		switch {
		case k.FIDO.UV:
			how = " (fingerprint)"
		case k.FIDO.PINSet:
			how = " (PIN set)"
		}
		words = append(words, "fido2"+how)
	}
	if k.Card != nil {
		var slots []string
		for _, s := range k.Card.Slots {
			slots = append(slots, text(s.Slot))
		}
		slices.Sort(slots)
		words = append(words, strings.TrimSpace("piv "+strings.Join(slots, " ")))
	}
	return words
}

func (k *plugged) owners() (words []string) {
	for _, h := range k.Enrolled {
		words = append(words, text(h.User)+" "+text(h.ID))
	}
	return words
}
