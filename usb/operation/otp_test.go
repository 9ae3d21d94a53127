package operation

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/virtual/otpkey"
)

func typing(serial uint32, id string) *otpkey.Key {
	return otpkey.New(otpkey.Config{Serial: serial, Short: otpkey.Slot{Types: yubico(id)}})
}

// typed is how a capture came out.
type typed struct {
	reply agent.CaptureReply
	err   error
}

func capturing(t *testing.T, b *bench, q agent.CaptureRequest) (*talk, chan typed, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	said, done := &talk{}, make(chan typed, 1)
	if q.Wait == 0 {
		q.Wait = limit.Milliseconds()
	}
	go func() {
		r, err := Machine{Hidraw: b}.Capture(ctx, q, said)
		done <- typed{r, err}
	}()
	return said, done, cancel
}

func codeIn(err error) agent.Code {
	var e *agent.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// The key that is meant is waited for, and no other one is heard.
func TestCapture(t *testing.T) {
	b := newBench()
	foreign := b.plug("1-1", typing(7, "vvcccccccccv"))
	said, done, _ := capturing(t, b, agent.CaptureRequest{Serials: []uint32{8, 9}})
	said.await(t, agent.Absent)
	foreign.touch(t)
	mine := b.plug("1-2", typing(9, "cccccccccccb"))
	said.await(t, agent.Touch)
	want := mine.touch(t)
	got := <-done
	if got.err != nil || string(got.reply.Text) != want || got.reply.Serial != 9 || got.reply.Port != "1-2" {
		t.Errorf("captured %+v; want %q", got, want)
	}
	if !mine.taken.TryLock() || len(mine.presses) > 0 {
		t.Error("the keyboard is still taken, or its Enter is left")
	}
	if !foreign.taken.TryLock() {
		t.Error("a foreign key's keyboard was taken")
	}
}

// Of two keys that are meant either may be touched.
func TestCaptureOfTwo(t *testing.T) {
	b := newBench()
	first, second := b.plug("1-1", typing(8, "cccccccccccc")), b.plug("1-2", typing(9, "cccccccccccb"))
	said, done, _ := capturing(t, b, agent.CaptureRequest{Serials: []uint32{8, 9}, Lengths: []int{44}})
	said.await(t, agent.Touch)
	await(t, "both are listened to", func() bool {
		for _, p := range []*plug{first, second} {
			if p.taken.TryLock() {
				p.taken.Unlock()
				return false
			}
		}
		return true
	})
	want := second.touch(t)
	if got := <-done; got.err != nil || string(got.reply.Text) != want || got.reply.Serial != 9 {
		t.Errorf("captured %+v; want %q", got, want)
	}
	await(t, "the other key is given back", first.taken.TryLock)
}

// A key that is pulled out is waited for, wherever it comes back.
func TestCaptureReplugged(t *testing.T) {
	b := newBench()
	key := typing(9, "cccccccccccb")
	b.plug("1-1", key)
	said, done, _ := capturing(t, b, agent.CaptureRequest{Serials: []uint32{9}})
	said.await(t, agent.Touch)
	b.unplug("1-1")
	said.await(t, agent.Absent)
	b.plug("1-1", typing(7, "vvcccccccccv")) // another one in its place
	p := b.plug("2-3.1", key)
	said.await(t, agent.Touch)
	want := p.touch(t)
	if got := <-done; got.err != nil || string(got.reply.Text) != want || got.reply.Port != "2-3.1" {
		t.Errorf("captured %+v; want %q", got, want)
	}
}

func TestCaptureHeld(t *testing.T) {
	b := newBench()
	p := b.plug("1-1", typing(9, "cccccccccccb"))
	b.hold(p, true)
	said, done, _ := capturing(t, b, agent.CaptureRequest{Serials: []uint32{9}})
	said.await(t, agent.Busy)
	b.hold(p, false)
	said.await(t, agent.Touch)
	p.touch(t)
	if got := <-done; got.err != nil {
		t.Error(got.err)
	}
}

// A key that is plugged in during the wait may be opened only when udev has said so.
func TestCaptureAccessComesLate(t *testing.T) {
	b := newBench()
	said, done, _ := capturing(t, b, agent.CaptureRequest{Serials: []uint32{9}})
	said.await(t, agent.Absent)
	p := b.plug("1-1", typing(9, "cccccccccccb"), refused)
	await(t, "a try to open it", func() bool { return b.tries(p) > 1 })
	b.grant(p)
	said.await(t, agent.Touch)
	p.touch(t)
	if got := <-done; got.err != nil {
		t.Error(got.err)
	}
}

// What has been waited for in vain is said.
func TestCaptureInVain(t *testing.T) {
	for name, tc := range map[string]struct {
		keys func(*bench)
		q    agent.CaptureRequest
		want agent.Code
	}{
		"absent":    {func(*bench) {}, agent.CaptureRequest{Serials: []uint32{9}}, agent.Gone},
		"another":   {func(b *bench) { b.plug("1-1", typing(7, "cccccccccccb")) }, agent.CaptureRequest{Serials: []uint32{9}}, agent.Gone},
		"untouched": {func(b *bench) { b.plug("1-1", typing(9, "cccccccccccb")) }, agent.CaptureRequest{Serials: []uint32{9}}, agent.NoTouch},
		"held":      {func(b *bench) { b.hold(b.plug("1-1", typing(9, "cccccccccccb")), true) }, agent.CaptureRequest{Serials: []uint32{9}}, agent.Held},
		"no access": {func(b *bench) { b.plug("1-1", typing(9, "cccccccccccb"), refused) }, agent.CaptureRequest{Serials: []uint32{9}}, agent.NoAccess},
		"shown":     {func(b *bench) { b.plug("1-1", typing(9, "cccccccccccb")) }, agent.CaptureRequest{}, agent.Gone}, // asks for one that shows none
		"libusb":    {func(*bench) {}, agent.CaptureRequest{Common: agent.Common{Backend: "libusb"}, Any: true}, agent.Unsupported},
	} {
		b := newBench()
		tc.keys(b)
		tc.q.Wait = 600
		_, done, _ := capturing(t, b, tc.q)
		if got := <-done; codeIn(got.err) != tc.want {
			t.Errorf("%s: %v; want code %d", name, got.err, tc.want)
		}
	}
}

// A key without a serial number is found too, and with Any every one.
func TestCaptureWithoutSerial(t *testing.T) {
	for _, any := range []bool{false, true} {
		b := newBench()
		p := b.plug("1-1", otpkey.New(otpkey.Config{Serial: 9, HideSerial: true, Version: otpkey.Version{3, 4, 0}, Short: otpkey.Slot{Types: yubico("cccccccccccb")}}))
		said, done, _ := capturing(t, b, agent.CaptureRequest{Any: any})
		said.await(t, agent.Touch)
		want := p.touch(t)
		if got := <-done; got.err != nil || string(got.reply.Text) != want || got.reply.Serial != 0 {
			t.Errorf("captured %+v; want %q", got, want)
		}
	}
}

// Cancelling gives the key back at once.
func TestCaptureCancelled(t *testing.T) {
	b := newBench()
	p := b.plug("1-1", typing(9, "cccccccccccb"))
	said, done, cancel := capturing(t, b, agent.CaptureRequest{Serials: []uint32{9}})
	said.await(t, agent.Touch)
	cancel()
	if got := <-done; !errors.Is(got.err, context.Canceled) {
		t.Errorf("cancelled: %v", got.err)
	}
	if !p.taken.TryLock() {
		t.Error("the keyboard is still taken")
	}
}

const secret = "0123456789abcdefghij"

func answering(serial uint32, touch bool) *otpkey.Key {
	return otpkey.New(otpkey.Config{Serial: serial, TouchWait: time.Second,
		Long: otpkey.Slot{Answers: otpkey.HMAC{Secret: [20]byte([]byte(secret)), LT64: true}, Touch: touch}})
}

func asking(t *testing.T, b *bench, q agent.HMACRequest) (*talk, chan error, *agent.HMACReply) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	said, done, reply := &talk{}, make(chan error, 1), &agent.HMACReply{}
	q.Slot, q.Challenge = 2, []byte(strings.Repeat("c", 32))
	if q.Wait == 0 {
		q.Wait = limit.Milliseconds()
	}
	go func() {
		r, err := Machine{Hidraw: b}.HMAC(ctx, q, said)
		*reply = r
		done <- err
	}()
	return said, done, reply
}

func TestHMAC(t *testing.T) {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(strings.Repeat("c", 32)))
	for _, touch := range []bool{false, true} {
		b := newBench()
		b.plug("1-1", answering(7, touch))
		said, done, reply := asking(t, b, agent.HMACRequest{Serial: 9})
		said.await(t, agent.Absent)
		p := b.plug("1-2", answering(9, touch))
		if touch {
			said.await(t, agent.Touch)
			await(t, "it blinks", p.key.Confirm)
		}
		if err := <-done; err != nil || !hmac.Equal(reply.Answer, mac.Sum(nil)) || reply.Touched != touch {
			t.Errorf("answered %x, touched %v, %v", reply.Answer, reply.Touched, err)
		}
	}
}

// The key gives up sooner than the person: it is asked again, until the time is over.
func TestHMACLateTouch(t *testing.T) {
	b := newBench()
	p := b.plug("1-1", answering(9, true))
	said, done, reply := asking(t, b, agent.HMACRequest{Serial: 9})
	said.await(t, agent.Touch)
	await(t, "it blinks", p.key.Waiting)
	await(t, "it gives up", func() bool { return !p.key.Waiting() })
	await(t, "it blinks again", p.key.Confirm)
	if err := <-done; err != nil || !reply.Touched {
		t.Errorf("%+v, %v", reply, err)
	}
}

func TestHMACInVain(t *testing.T) {
	for name, tc := range map[string]struct {
		key  *otpkey.Key
		want agent.Code
	}{
		"absent":    {nil, agent.Gone},
		"another":   {answering(7, false), agent.Gone},
		"untouched": {answering(9, true), agent.NoTouch},
		"empty":     {otpkey.New(otpkey.Config{Serial: 9, Short: otpkey.Slot{Types: yubico("cccccccccccb")}}), agent.WrongKey},
		"types":     {otpkey.New(otpkey.Config{Serial: 9, Long: otpkey.Slot{Types: yubico("cccccccccccb")}}), agent.WrongKey},
	} {
		b := newBench()
		if tc.key != nil {
			b.plug("1-1", tc.key)
		}
		_, done, _ := asking(t, b, agent.HMACRequest{Serial: 9, Common: agent.Common{Wait: 1500}})
		if err := <-done; codeIn(err) != tc.want {
			t.Errorf("%s: %v; want code %d", name, err, tc.want)
		}
	}
}

// Pulled out while it blinks, and plugged in elsewhere.
func TestHMACReplugged(t *testing.T) {
	b := newBench()
	key := answering(9, true)
	p := b.plug("1-1", key)
	said, done, _ := asking(t, b, agent.HMACRequest{Serial: 9})
	said.await(t, agent.Touch)
	await(t, "it blinks", p.key.Waiting)
	b.unplug("1-1")
	said.await(t, agent.Absent)
	b.plug("1-4", key)
	said.await(t, agent.Touch)
	await(t, "it blinks again", key.Confirm)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestKeys(t *testing.T) {
	b := newBench()
	b.plug("1-1", answering(9, false))
	b.hold(b.plug("1-2", answering(7, false)), true)
	r, err := Machine{Hidraw: b}.Keys(context.Background(), agent.KeysRequest{}, &talk{})
	if err != nil || len(r.Keys) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, k := range r.Keys {
		switch {
		case k.Port == "1-1" && k.Serial == 9 && k.Firmware == "5.4.3" && len(k.Slots) == 2 && k.Slots[1].Challenge && k.Note == "":
		case k.Port == "1-2" && k.Serial == 0 && strings.Contains(k.Note, "holds the key"):
		default:
			t.Errorf("%+v", k)
		}
	}
}

// What a key has begun to type reaches nobody else: not when the login is given up, and not
// when another key has typed. Nobody waits for it but the process.
func TestCaptureInMidTyping(t *testing.T) {
	for _, name := range []string{"given up", "another key"} {
		b := newBench()
		p, other := b.plug("1-1", typing(8, "cccccccccccc")), b.plug("1-2", typing(9, "cccccccccccb"))
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		m, said, done := Machine{Hidraw: b, Rest: &sync.WaitGroup{}}, &talk{}, make(chan error, 1)
		go func() {
			_, err := m.Capture(ctx, agent.CaptureRequest{Common: waits(limit), Serials: []uint32{8, 9}}, said)
			done <- err
		}()
		await(t, "both are listened to", func() bool { return b.isTaken(p) && b.isTaken(other) })
		typist, stop := make(chan struct{}), make(chan struct{})
		go func() { // without an end, until it is stopped
			defer close(typist)
			for {
				select {
				case p.presses <- hid.NewPress(6, 0):
				case <-stop:
					return
				}
			}
		}()
		await(t, "it types", func() bool { return len(p.presses) > 0 })
		if name == "given up" {
			cancel()
		} else {
			other.touch(t)
		}
		if err := <-done; (err != nil) != (name == "given up") {
			t.Errorf("%s: %v", name, err)
		}
		if p.taken.TryLock() {
			t.Errorf("%s: the key is given back while it types", name)
		}
		close(stop)
		<-typist
		m.Finish()
		if !p.taken.TryLock() || len(p.presses) > 0 {
			t.Errorf("%s: the key is not given back", name)
		}
	}
}
