package otpkey

import (
	"encoding/hex"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// nist is the key of NIST PUB 198 A.2, which Yubico's own documents use.
const nist = "303132333435363738393a3b3c3d3e3f40414243"

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// say sends reports in hex.
func say(t testing.TB, k *Key, reports string) {
	t.Helper()
	for _, r := range strings.Fields(reports) {
		k.Set([ReportSize]byte(unhex(t, r)))
	}
}

// hear reads so many reports, in hex.
func hear(k *Key, n int) string {
	var all []string
	for range n {
		r := k.Get()
		all = append(all, hex.EncodeToString(r[:]))
	}
	return strings.Join(all, " ")
}

// frame makes the reports of a command, without those that are all zero.
func frame(command byte, payload []byte) string {
	var f [frameSize]byte
	copy(f[:], payload)
	f[payloadSize] = command
	sum := crc(f[:payloadSize])
	f[payloadSize+1], f[payloadSize+2] = byte(sum), byte(sum>>8)
	var all []string
	for seq := range chunks {
		r := [ReportSize]byte{}
		copy(r[:], f[seq*chunkSize:(seq+1)*chunkSize])
		if r != [ReportSize]byte{} || seq == 0 || seq == chunks-1 {
			r[7] = flagWrite | byte(seq)
			all = append(all, hex.EncodeToString(r[:]))
		}
	}
	return strings.Join(all, " ")
}

// key has an OTP in slot 1 and HMAC in slot 2.
func key(t testing.TB, change func(*Config)) *Key {
	c := Config{
		Serial: 1234567,
		Short:  Slot{Types: &Yubico{PublicID: "vvccccccccbd"}},
		Long:   Slot{Answers: HMAC{Secret: [20]byte(unhex(t, nist)), LT64: true}},
	}
	if change != nil {
		change(&c)
	}
	return New(c)
}

const (
	idle  = "00050403020700" + "00" // version, two slots, slot 1 types
	reset = "000000000000008f"
	done  = "0000000000000040"
)

// TestVectors: conversations with keys, from the documents of ykchalresp and
// python-yubico, and their sums.
func TestVectors(t *testing.T) {
	const hmac = "53616d706c652080 2332000000000081 0038f82a00000089"
	for name, c := range map[string]struct{ said, heard string }{
		"status":          {"", idle},
		"hmac":            {hmac, "0922d3405faa3d40 194f82a458307341 7d5cc6c75d24e442 d400000000000043 " + done + " " + done},
		"serial":          {"0000000000000080 00106b5b00000089", "0012d687af370040 " + done},
		"empty command":   {"0000000000000080 00326b5b00000089", idle},
		"unknown command": {"0000000000000080 0000000102030085 0032017300000089", idle},
		"wrong sum":       {"0000000000000080 00106b5a00000089", idle},
		"reset":           {hmac + " " + reset, idle},
		"reset with ff":   {hmac + " 00000000000000ff", idle},
		"half a command":  {"53616d706c652080 2332000000000081", idle},
		"two commands":    {hmac + " 0000000000000080 00106b5b00000089", "0012d687af370040 " + done},
		"empty slot":      {"53616d706c652080 2332000000000081 0030f82a00000089", idle},
		"programming":     {"53616d706c652080 2332000000000081 0003f82a00000089", idle},
		"no write flag":   {"53616d706c652000 2332000000000001 0038f82a00000009", idle},
	} {
		k := key(t, nil)
		say(t, k, c.said)
		if got := hear(k, len(strings.Fields(c.heard))); got != c.heard {
			t.Errorf("%s: got\n%s, want\n%s", name, got, c.heard)
		}
		if k.Waiting() {
			t.Errorf("%s: waits for a touch", name)
		}
	}
}

// TestFrame: the frames that this test makes are the documents' own.
func TestFrame(t *testing.T) {
	if got, want := frame(0x38, []byte("Sample #2")), "53616d706c652080 2332000000000081 0038f82a00000089"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	payload := make([]byte, 41)
	copy(payload[38:], []byte{1, 2, 3})
	if got, want := frame(0x32, payload), "0000000000000080 0000000102030085 0032017300000089"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// answer is what a command is answered with, without its checksum, which is checked.
func answer(t *testing.T, k *Key, size int) []byte {
	t.Helper()
	var data []byte
	for seq := 0; ; seq++ {
		r := k.Get()
		if r[7]&flagResponse == 0 {
			t.Fatalf("report %x", r)
		}
		if r[7] == flagResponse && seq > 0 {
			break
		}
		if int(r[7]&number) != seq {
			t.Fatalf("report %x, want number %d", r, seq)
		}
		data = append(data, r[:chunkSize]...)
	}
	if sum := crc(data[:size+2]); sum != 0xf0b8 {
		t.Fatalf("checksum %#x of %x", sum, data)
	}
	return data[:size]
}

// TestLT64: which bytes of a challenge count.
func TestLT64(t *testing.T) {
	full := make([]byte, 64)
	for i := range full {
		full[i] = byte(i)
	}
	for _, c := range []struct {
		lt64      bool
		challenge []byte
		want      string
	}{
		{true, full[:63], "7d8b192118bbc9ea0134e4283bf4d2ea71d3a41e"},
		{true, full, "7d8b192118bbc9ea0134e4283bf4d2ea71d3a41e"}, // its last byte is dropped
		{false, full, "30ab9011bf6a336915ac10428b7b7326077a0ac0"},
	} {
		k := key(t, func(c2 *Config) {
			c2.Long.Answers = HMAC{Secret: [20]byte(unhex(t, nist)), LT64: c.lt64}
		})
		say(t, k, frame(cmdHMAC2, c.challenge))
		if got := hex.EncodeToString(answer(t, k, 20)); got != c.want {
			t.Errorf("%v %d: %s, want %s", c.lt64, len(c.challenge), got, c.want)
		}
	}
}

// TestTouch: the key says how long it still waits, then answers, or gives up.
func TestTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := key(t, func(c *Config) { c.Long.Touch = true })
		ask := frame(cmdHMAC2, []byte("Sample #2"))
		say(t, k, ask)
		if got, want := hear(k, 1), "000504030207002f"; got != want {
			t.Errorf("status %s, want %s", got, want)
		}
		time.Sleep(14500 * time.Millisecond)
		if got, want := hear(k, 1), "0005040302070021"; got != want {
			t.Errorf("status %s, want %s", got, want)
		}
		if !k.Confirm() {
			t.Error("it does not wait")
		}
		if got, want := hex.EncodeToString(answer(t, k, 20)), "0922d3405faa3d194f82a45830737d5cc6c75d24"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		say(t, k, reset+" "+ask)
		time.Sleep(15 * time.Second)
		if got := hear(k, 1); got != idle {
			t.Errorf("status %s after its time", got)
		}
		if k.Confirm() {
			t.Error("it waits after its time")
		}
		say(t, k, ask+" "+reset)
		if k.Waiting() || k.Confirm() {
			t.Error("it waits after a reset")
		}
	})
}

// TestBusy: what comes while the key is busy is lost, and the key says so.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := key(t, func(c *Config) { c.Busy = 5 * time.Millisecond })
		serial := strings.Fields("0000000000000080 00106b5b00000089")
		say(t, k, serial[0])
		if got, want := hear(k, 1), "0005040302070080"; got != want {
			t.Errorf("status %s, want %s", got, want)
		}
		say(t, k, serial[1])
		time.Sleep(6 * time.Millisecond)
		if got := hear(k, 1); got != idle {
			t.Errorf("a report that came too early counts: %s", got)
		}
		say(t, k, serial[1])
		time.Sleep(6 * time.Millisecond)
		if got, want := hear(k, 1), "0012d687af370040"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

// TestReclaim: after another application the OTP one is deaf for a while.
func TestReclaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := key(t, func(c *Config) { c.Reclaim = 3 * time.Second })
		k.Elsewhere()
		say(t, k, frame(cmdSerial, nil))
		if got := hear(k, 1); got != idle {
			t.Errorf("%s during the reclaim time", got)
		}
		time.Sleep(3 * time.Second)
		say(t, k, frame(cmdSerial, nil))
		if got, want := hear(k, 1), "0012d687af370040"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

func TestDeviceInfo(t *testing.T) {
	k := key(t, nil)
	say(t, k, frame(cmdDeviceInfo, nil))
	info := answer(t, k, len(k.deviceInfo()))
	if int(info[0]) != len(info)-1 {
		t.Errorf("length %d of %d", info[0], len(info)-1)
	}
	fields := map[byte]string{}
	for rest := info[1:]; len(rest) > 0; rest = rest[2+rest[1]:] {
		fields[rest[0]] = hex.EncodeToString(rest[2 : 2+rest[1]])
	}
	for tag, want := range map[byte]string{1: "023f", 2: "0012d687", 5: "050403", 7: "0f"} {
		if fields[tag] != want {
			t.Errorf("field %d is %q, want %q", tag, fields[tag], want)
		}
	}
}

func TestHideSerial(t *testing.T) {
	k := key(t, func(c *Config) { c.HideSerial = true })
	say(t, k, frame(cmdSerial, nil))
	if got := hear(k, 1); got != idle {
		t.Errorf("%s", got)
	}
}

// TestSlots: what the status says of the slots.
func TestSlots(t *testing.T) {
	types, answers := Slot{Types: Static("x")}, Slot{Answers: HMAC{}}
	for _, c := range []struct {
		short, long Slot
		want        byte
	}{
		{Slot{}, Slot{}, 0},
		{types, Slot{}, 0x05},
		{Slot{}, types, 0x0a},
		{answers, types, 0x0b},
		{answers, answers, 0x03},
	} {
		r := New(Config{Short: c.short, Long: c.long}).Get()
		if r[5] != c.want {
			t.Errorf("%#x, want %#x", r[5], c.want)
		}
	}
}

// FuzzReports: whatever a host sends, the key says nothing without an answer's shape,
// and a slot that wants a touch answers without one never.
func FuzzReports(f *testing.F) {
	for _, seed := range []string{"53616d706c652080 2332000000000081 0038f82a00000089", "0000000000000080 00106b5b00000089", reset} {
		b, err := hex.DecodeString(strings.ReplaceAll(seed, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		k := key(t, func(c *Config) { c.HideSerial, c.Long.Touch = true, true })
		for ; len(wire) >= ReportSize; wire = wire[ReportSize:] {
			k.Set([ReportSize]byte(wire))
			r := k.Get()
			if r[7]&flagResponse != 0 && k.frame[payloadSize] != cmdDeviceInfo {
				t.Fatalf("answer %x without a touch", r)
			}
		}
	})
}
