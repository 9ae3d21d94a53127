package otp

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/usb/hid"
)

// fakeKey is the OTP application of a key, from the side of the device. Times are those
// of the bubble that it is tested in.
type fakeKey struct {
	t testing.TB

	firmware [3]byte
	level    uint16 // the touch level of its status
	serial   uint32 // 0: it isn't told
	info     []byte // the entries; nil: the command is not known
	secret   []byte
	fixed    bool // the slot lacks HMAC_LT64

	reclaim   time.Time     // until then all is refused
	touchWait time.Duration // how long it waits for one
	touchAt   time.Duration // after the command; 0: no touch is asked for
	busy      time.Duration // after each chunk
	gone      bool
	onSet     func(report) // called before each report is taken
	onGet     func()

	mu        sync.Mutex
	buffer    [frameSize]byte
	answer    []byte // what is left of it, with its checksum
	next      int    // the chunk to send
	answering bool
	waiting   time.Time // since when it waits for a touch
	waitingOf command
	readyAt   time.Time
	sets      []report
}

func (k *fakeKey) Close() error { return nil }

func (k *fakeKey) Get(ctx context.Context) (report, error) {
	if err := ctx.Err(); err != nil {
		return report{}, err
	}
	if k.onGet != nil {
		k.onGet()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return report{}, hid.ErrGone
	}
	if time.Now().Before(k.readyAt) {
		return report{7: flagBusy}, nil
	}
	k.touch()
	switch {
	case !k.waiting.IsZero():
		left := (k.touchWait - time.Since(k.waiting)) / time.Second
		return report{7: flagTouch | byte(left)&maskNumber}, nil
	case k.answering && len(k.answer) == 0:
		return report{7: flagAnswer}, nil
	case k.answering:
		var r report
		n := copy(r[:chunkSize], k.answer)
		k.answer = k.answer[n:]
		r[chunkSize] = flagAnswer | byte(k.next)
		k.next++
		return r, nil
	}
	r := report{1: k.firmware[0], 2: k.firmware[1], 3: k.firmware[2], 4: 1}
	binary.LittleEndian.PutUint16(r[5:], k.level)
	return r, nil
}

// touch goes on in a wait for one.
func (k *fakeKey) touch() {
	if k.waiting.IsZero() {
		return
	}
	if since := time.Since(k.waiting); k.touchAt < k.touchWait && since >= k.touchAt {
		k.waiting = time.Time{}
		k.hmac()
	} else if since >= k.touchWait {
		k.waiting = time.Time{}
	}
}

func (k *fakeKey) Set(ctx context.Context, r report) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if k.onSet != nil {
		k.onSet(r)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return hid.ErrGone
	}
	if time.Now().Before(k.readyAt) && r != reset {
		k.t.Errorf("report %x while the key was busy", r)
	}
	k.sets = append(k.sets, r)
	k.readyAt = time.Now().Add(k.busy)
	if r == reset {
		k.answering, k.answer, k.waiting = false, nil, time.Time{}
		return nil
	}
	number := int(r[chunkSize] & maskNumber)
	if r[chunkSize]&^maskNumber != flagBusy || number > 9 {
		k.t.Errorf("report %x has flags that no report has", r)
		return nil
	}
	if number == 0 {
		k.buffer = [frameSize]byte{}
	}
	copy(k.buffer[number*chunkSize:], r[:chunkSize])
	if number == 9 {
		k.run()
	}
	return nil
}

// run carries out the command in the buffer.
func (k *fakeKey) run() {
	payload := k.buffer[:payloadSize]
	if crc(payload) != binary.LittleEndian.Uint16(k.buffer[payloadSize+1:]) {
		k.t.Errorf("frame %x has a wrong checksum", k.buffer)
		return
	}
	c := command(k.buffer[payloadSize])
	if !c.permitted() {
		k.t.Errorf("command %#x was sent", byte(c))
	}
	if time.Now().Before(k.reclaim) {
		return
	}
	switch {
	case c == readSerial && k.serial != 0:
		k.send(binary.BigEndian.AppendUint32(nil, k.serial))
	case c == readInfo && k.info != nil:
		k.send(append([]byte{byte(len(k.info))}, k.info...))
	case (c == hmacSlot1 || c == hmacSlot2) && k.secret != nil:
		k.waitingOf = c
		if k.touchWait > 0 {
			k.waiting = time.Now()
			return
		}
		k.hmac()
	}
}

func (k *fakeKey) hmac() {
	message := k.buffer[:payloadSize]
	if !k.fixed {
		message = bytes.TrimRight(message, string(message[payloadSize-1:]))
	}
	h := hmac.New(sha1.New, k.secret)
	h.Write(message)
	k.send(h.Sum(nil))
}

func (k *fakeKey) send(data []byte) {
	k.answer = binary.LittleEndian.AppendUint16(data, ^crc(data))
	k.next, k.answering = 0, true
}

// atRest fails the test if the key was left with something to do.
func (k *fakeKey) atRest() {
	k.t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.sets) == 0 || k.sets[len(k.sets)-1] != reset || k.answering || !k.waiting.IsZero() {
		k.t.Errorf("the key was left in the middle of something: %x", k.sets)
	}
}
