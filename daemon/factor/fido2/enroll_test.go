package fido2_test

import (
	"context"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb/virtual/fido"
)

func TestEnrol(t *testing.T) {
	d := newDesk(t)
	refused := func(options, want string, answers ...string) {
		t.Helper()
		if _, err := d.enroll(options, answers...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", options, err, want)
		}
	}
	refused("", "no security key (FIDO2) is plugged in")
	refused("serial=7", "is not plugged in, or has no FIDO2")
	for options, want := range map[string]string{
		"slot=2": `no "slot"`, "verification=face": `no verification "face"`, "serial=x": "serial number", "no-presence=1": "is always touched",
	} {
		refused(options, want)
	}
	k := fido.New(fido.Options{})
	d.plug("1-1", k)
	refused("verification=pin", "has no PIN")
	refused("verification=built-in", "does not know its owner by itself")
	if shown := d.mustEnroll("name=blue"); shown.ID != "fido2-1" || shown.Name != "blue" || shown.Key != "key in 1-1" {
		t.Errorf("shown %+v", shown)
	}
	refused("", "is enrolled already")
	d.plug("1-2", fido.New(fido.Options{}))
	refused("", "several security keys are plugged in: key in 1-")
	d.pull("1-1")
	refused("name=BLUE", "is taken")
	for range 4 {
		d.plug("1-2", fido.New(fido.Options{}))
		d.mustEnroll("")
	}
	d.plug("1-2", fido.New(fido.Options{}))
	refused("", "no more than 5 keys")
	if d.jobs.roots > 0 {
		t.Errorf("%d jobs for alice's keys were root's", d.jobs.roots)
	}
}

// A key with a PIN wants it for a new credential, and not at each login.
func TestEnrolWithPIN(t *testing.T) {
	d, k := newDesk(t), fido.New(fido.Options{PIN: pin})
	d.plug("1-1", k)
	if _, err := d.enroll("", "000000"); err == nil {
		t.Error("enrolled with a wrong PIN")
	}
	d.mustEnroll("", "000000", pin)
	d.expect("allow fido2", "")
	other := fido.New(fido.Options{PIN: pin, AlwaysUV: true})
	d.pull("1-1")
	d.plug("1-1", other)
	if _, err := d.enroll("", pin); err == nil || !strings.Contains(err.Error(), "hint: --verification pin") {
		t.Errorf("a key that always wants its PIN: %v", err)
	}
	k.Change(func(o *fido.Options) { o.Touch = fido.Deny })
	d.pull("1-1")
	d.plug("1-1", k)
	d.MustCall("REMOVE user=alice id=fido2-1")
	if _, err := d.enroll("", pin); err == nil || !strings.Contains(err.Error(), "it was declined") {
		t.Errorf("declined: %v", err)
	}
}

// A key that makes a credential and then can't show it is not enrolled.
func TestEnrolUnproven(t *testing.T) {
	d := newDesk(t)
	d.plug("1-1", fido.New(fido.Options{}))
	d.jobs.change(func(_ *agent.AssertRequest, r *agent.AssertReply) { r.Signature[8] ^= 1 })
	if _, err := d.enroll(""); err == nil || !strings.Contains(err.Error(), "answer is not right") {
		t.Errorf("%v", err)
	}
	touches := 0
	d.jobs.change(nil)
	d.ports.keys["1-1"].Unplug()
	d.plug("1-1", fido.New(fido.Options{Touch: func(context.Context) bool { touches++; return touches == 1 }}))
	if _, err := d.enroll(""); err == nil || !strings.Contains(err.Error(), "it was declined") {
		t.Errorf("%v", err)
	}
	if list := d.MustCall("LIST user=alice"); strings.Contains(list, "fido2-1") {
		t.Errorf("list: %s", list)
	}
}
