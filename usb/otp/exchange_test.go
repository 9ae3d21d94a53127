package otp

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/factord/factord/usb/hid"
)

var (
	nistSecret = "0123456789:;<=>?@ABC"
	challenge  = [ChallengeSize]byte{0: 1, 5: 0, ChallengeSize - 1: 9}
)

// newKey is a YubiKey 5 with a challenge-response in slot 2 that needs no touch.
func newKey(t testing.TB) *fakeKey {
	return &fakeKey{
		t: t, firmware: [3]byte{5, 4, 3}, level: 0b0111, secret: []byte(nistSecret), serial: 1234567,
		info: []byte{0x01, 2, 0x02, 0x3f, tagSerial, 4, 0, 0x12, 0xd6, 0x87, tagFirmware, 3, 5, 4, 3, tagChallengeTimeout, 1, 15},
		busy: 3 * time.Millisecond,
	}
}

func digest(challenge [ChallengeSize]byte) (d [ResponseSize]byte) {
	h := hmac.New(sha1.New, []byte(nistSecret))
	h.Write(challenge[:])
	return [ResponseSize]byte(h.Sum(nil))
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := ReadStatus(t.Context(), newKey(t))
		if err != nil {
			t.Fatal(err)
		}
		want := Status{Firmware: Version{5, 4, 3}, Sequence: 1, Slots: [2]Slot{{true, true}, {true, false}}}
		if s != want {
			t.Errorf("%+v, not %+v", s, want)
		}
	})
}

func TestSerial(t *testing.T) {
	for name, c := range map[string]struct {
		change func(k *fakeKey)
		want   error
	}{
		"of the device information":  {func(k *fakeKey) { k.serial = 0 }, nil},
		"of the serial command":      {func(k *fakeKey) { k.info = nil }, nil},
		"of an older key":            {func(k *fakeKey) { k.info, k.firmware = nil, [3]byte{3, 4, 9} }, nil},
		"of none":                    {func(k *fakeKey) { k.info, k.serial = nil, 0 }, ErrNoSerial},
		"of an old one":              {func(k *fakeKey) { k.firmware = [3]byte{2, 1, 9} }, ErrOld},
		"just after FIDO was used":   {func(k *fakeKey) { k.reclaim = time.Now().Add(2 * time.Second) }, nil},
		"after FIDO, of an old key":  {func(k *fakeKey) { k.firmware = [3]byte{3}; k.reclaim = time.Now().Add(2 * time.Second) }, nil},
		"while the key starts":       {func(k *fakeKey) { k.readyAt = time.Now().Add(time.Second) }, nil},
		"of a key that never starts": {func(k *fakeKey) { k.readyAt = time.Now().Add(time.Hour) }, ErrStuck},
		"of one that is gone":        {func(k *fakeKey) { k.gone = true }, hid.ErrGone},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKey(t)
				c.change(k)
				n, err := Serial(t.Context(), k)
				if !errors.Is(err, c.want) || err == nil && n != 1234567 {
					t.Errorf("%d, %v", n, err)
				}
				if err == nil {
					k.atRest()
				}
			})
		})
	}
}

func TestInfo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, err := ReadInfo(t.Context(), newKey(t))
		if want := (Info{1234567, Version{5, 4, 3}, 15}); err != nil || i != want {
			t.Errorf("%+v, %v", i, err)
		}
		old := newKey(t)
		old.firmware = [3]byte{3, 4, 9}
		if _, err := ReadInfo(t.Context(), old); !errors.Is(err, ErrOld) {
			t.Error(err)
		}
	})
}

func TestChallengeResponse(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(k *fakeKey)
		slot    int
		want    error
		touches int
	}{
		"at once":                   {func(k *fakeKey) {}, 2, nil, 0},
		"touched":                   {func(k *fakeKey) { k.touchWait, k.touchAt = 15*time.Second, 4*time.Second }, 2, nil, 1},
		"touched at last":           {func(k *fakeKey) { k.touchWait, k.touchAt = 15*time.Second, 14*time.Second }, 2, nil, 1},
		"never touched":             {func(k *fakeKey) { k.touchWait, k.touchAt = 15*time.Second, time.Hour }, 2, ErrTouch, 1},
		"slot 1":                    {func(k *fakeKey) {}, 1, nil, 0},
		"no such slot":              {func(k *fakeKey) {}, 3, errors.ErrUnsupported, 0},
		"empty slot":                {func(k *fakeKey) { k.level = 0b0101 }, 2, ErrEmpty, 0},
		"slot that types":           {func(k *fakeKey) { k.secret = nil }, 2, ErrRejected, 0},
		"just after a card's":       {func(k *fakeKey) { k.reclaim = time.Now().Add(2 * time.Second) }, 2, nil, 0},
		"left in a touch":           {func(k *fakeKey) { k.waiting, k.touchWait = time.Now(), time.Hour; k.touchAt = time.Second }, 2, nil, 1},
		"left in an answer":         {func(k *fakeKey) { k.send(make([]byte, 40)) }, 2, nil, 0},
		"firmware without":          {func(k *fakeKey) { k.firmware = [3]byte{2, 1, 9} }, 2, ErrOld, 0},
		"slow key":                  {func(k *fakeKey) { k.busy = 900 * time.Millisecond }, 2, nil, 0},
		"key that is busy for ever": {func(k *fakeKey) { k.busy = time.Hour }, 2, ErrStuck, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKey(t)
				c.change(k)
				touches := 0
				got, err := ChallengeResponse(t.Context(), k, c.slot, challenge, func() { touches++ })
				switch {
				case c.want == errors.ErrUnsupported:
					if err == nil || len(k.sets) > 0 {
						t.Error(err, len(k.sets))
					}
				case !errors.Is(err, c.want) || err == nil && got != digest(challenge) || err != nil && got != [ResponseSize]byte{}:
					t.Errorf("%x, %v", got, err)
				case touches != c.touches:
					t.Errorf("asked for a touch %d times", touches)
				case err == nil || c.want == ErrTouch || c.want == ErrRejected:
					k.atRest()
				}
			})
		})
	}
}

func TestAChallengeThatWouldLoseItsEndIsNotSent(t *testing.T) {
	k := newKey(t)
	bad := challenge
	bad[ChallengeSize-1] = 0
	if _, err := ChallengeResponse(t.Context(), k, 2, bad, nil); !errors.Is(err, ErrChallenge) || len(k.sets) > 0 {
		t.Error(err, k.sets)
	}
}

// A key that is left to wait would answer whoever touches it next.
func TestCancellingEndsTheWaitForATouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKey(t)
		k.touchWait, k.touchAt = 15*time.Second, time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		var cancelled time.Time
		_, err := ChallengeResponse(ctx, k, 2, challenge, func() {
			time.AfterFunc(3*time.Second+7*time.Millisecond, func() { cancelled = time.Now(); cancel() })
		})
		if took := time.Since(cancelled); !errors.Is(err, context.Canceled) || took > 200*time.Millisecond {
			t.Errorf("%v after %v", err, took)
		}
		k.atRest()
	})
}

// Cancelled or unplugged at each report on the way, there is an error, no more is
// sent than the reset, and it ends at once.
func TestTheEndAtEachStep(t *testing.T) {
	for step := range 40 {
		for _, unplug := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				k := newKey(t)
				k.touchWait, k.touchAt = 15*time.Second, 300*time.Millisecond
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				calls, ended, began := 0, false, time.Time{}
				call := func() {
					if calls++; calls <= step || ended {
						return
					}
					ended, began = true, time.Now()
					k.gone = unplug
					if !unplug {
						cancel()
					}
				}
				k.onGet, k.onSet = call, func(report) { call() }
				got, err := ChallengeResponse(ctx, k, 2, challenge, nil)
				if err == nil && got == digest(challenge) {
					return // that was after all of it had come
				}
				want := context.Canceled
				if unplug {
					want = hid.ErrGone
				}
				if took := time.Since(began); !errors.Is(err, want) || took > 200*time.Millisecond {
					t.Errorf("step %d: %v after %v", step, err, took)
				}
				if !unplug && len(k.sets) > 0 {
					k.atRest()
				}
			})
		}
	}
}

// script plays reports, whatever is sent, and repeats the last one.
type script struct {
	hid.Features
	reports []report
}

func (s *script) Get(ctx context.Context) (report, error) {
	if len(s.reports) == 0 {
		return report{}, hid.ErrGone
	}
	r := s.reports[0]
	if len(s.reports) > 1 {
		s.reports = s.reports[1:]
	}
	return r, ctx.Err()
}

func (s *script) Set(ctx context.Context, _ report) error { return ctx.Err() }

func FuzzAnswers(f *testing.F) {
	status := string([]byte{0, 5, 4, 3, 1, 3, 0, 0})
	for _, seed := range []string{
		"", status, status + status + status + "\x00\x12\xd6\x87\xaf\x37\x00\x40\x00\x00\x00\x00\x00\x00\x00\x40",
		status + status + status + status + "\t\x22\xd3\x40\x5f\xaa\x3d\x40\x19\x4f\x82\xa4\x58\x30\x73\x41\x7d\x5c\xc6\xc7\x5d\x24\xe4\x42\xd4\x00\x00\x00\x00\x00\x00\x43",
		status + "\x00\x00\x00\x00\x00\x00\x00\x2f", status + "\x00\x00\x00\x00\x00\x00\x00\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			var s script
			for ; len(data) >= hid.FeatureSize; data = data[hid.FeatureSize:] {
				s.reports = append(s.reports, report(data))
			}
			reports := s.reports
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			answer, err := ChallengeResponse(ctx, &s, 2, challenge, nil)
			if err != nil && answer != [ResponseSize]byte{} {
				t.Error("an answer with an error")
			}
			s.reports = reports
			Serial(ctx, &s)
			s.reports = reports
			ReadInfo(ctx, &s)
			s.reports = reports
			ReadStatus(ctx, &s)
		})
	})
}

func FuzzInfo(f *testing.F) {
	f.Add([]byte{tagSerial, 4, 1, 2, 3, 4, tagFirmware, 3, 5, 7, 1})
	f.Add([]byte{tagSerial, 200})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, entries []byte) {
		if len(entries) > 200 {
			return
		}
		k := &fakeKey{t: t}
		k.send(append([]byte{byte(len(entries))}, entries...))
		parseInfo(k.answer)
		parseInfo(entries)
	})
}
