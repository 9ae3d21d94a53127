package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/factord/factord/usb/virtual"
)

// deskUsage is what can be said while it runs.
const deskUsage = `Commands, one a line, on its input or at its socket. SERIAL may be left out when there
is one key:

  touch [SERIAL] short|long
                     the finger: what blinks goes on, else the slot types; the answer
                     says what was confirmed or typed
  type [SERIAL] TEXT the key types TEXT, spaces too; \r in it is Enter, \t is Tab
  plug [SERIAL]      into a port; it has new power then
  unplug [SERIAL]
  blinks [SERIAL] [TIME]
                     wait until the key blinks, so long at most; default 10s
  asked [SERIAL]     how many messages each application has had from the host
  fido-touch [SERIAL] never|grant|deny
                     who touches when FIDO or PIV waits: nobody, but for "touch" (so
                     it is at first); somebody at once; or the key says no at once
  status             the keys, and how they stand
  quit
`

// maxLine bounds a command.
const maxLine = 4096

// desk is where somebody handles the keys.
type desk struct {
	keys []*entry
	quit context.CancelFunc
	plug func(context.Context, *entry) error
}

// read answers the commands of one line each.
func (d *desk) read(ctx context.Context, in io.Reader, out io.Writer) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		answer, err := d.do(ctx, line)
		if err != nil {
			answer = "error: " + strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		fmt.Fprintln(out, strings.TrimSpace(answer))
		if line == "quit" { // not before it is answered
			d.quit()
			return
		}
	}
}

// do carries out one command, whole.
func (d *desk) do(ctx context.Context, line string) (string, error) {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "quit": // read does it
		return "ok", nil
	case "status":
		return d.status(), nil
	}
	e, rest, err := d.find(rest)
	if err != nil {
		return "", err
	}
	text := ""
	switch verb {
	case "touch":
		if rest != "short" && rest != "long" {
			return "", errors.New("touch short or long?")
		}
		text, err = e.key.Touch(ctx, rest == "long")
	case "type":
		err = e.key.Type(ctx, strings.NewReplacer(`\r`, "\r", `\t`, "\t", `\\`, `\`).Replace(rest))
	case "plug":
		err = d.plug(ctx, e)
	case "unplug":
		err = e.key.Unplug()
	case "fido-touch":
		var who virtual.Touches
		if who, err = parseTouches(rest); err == nil {
			e.key.SetTouches(who)
		}
	case "asked":
		text = e.key.Asked().String()
	case "blinks":
		text, err = awaitBlink(ctx, e.key, rest)
	default:
		err = fmt.Errorf("%q is no command; virtual-yubikey -h lists them", verb)
	}
	return "ok " + text, err
}

// find takes the serial number from in front of what a command says.
func (d *desk) find(rest string) (*entry, string, error) {
	rest = strings.TrimLeft(rest, " ")
	word, after, _ := strings.Cut(rest, " ")
	if n, err := strconv.ParseUint(word, 10, 32); err == nil {
		for _, e := range d.keys {
			if e.serial == uint32(n) {
				return e, after, nil
			}
		}
	}
	if len(d.keys) > 1 {
		return nil, "", fmt.Errorf("which key? %q is none", word)
	}
	return d.keys[0], rest, nil
}

// blinkStep is how often a wait looks at the key.
const blinkStep = 10 * time.Millisecond

func awaitBlink(ctx context.Context, k *virtual.Key, limit string) (string, error) {
	wait := 10 * time.Second
	if limit != "" {
		var err error
		if wait, err = time.ParseDuration(limit); err != nil {
			return "", err
		}
	}
	ctx, stop := context.WithTimeout(ctx, wait)
	defer stop()
	for {
		if what := k.Blinks(); what != "" {
			return what, nil
		}
		select {
		case <-ctx.Done():
			return "", errors.New("the key does not blink")
		case <-time.After(blinkStep):
		}
	}
}

func (d *desk) status() string {
	var all []string
	for _, e := range d.keys {
		u := e.key.Descriptor()
		text := fmt.Sprintf("%d %04x:%04x", e.serial, u.Vendor, u.Product)
		if e.key.Plugged() {
			text += " plugged"
		}
		if what := e.key.Blinks(); what != "" {
			text += " blinks: " + what
		}
		all = append(all, text)
	}
	return "ok " + strings.Join(all, ", ")
}
