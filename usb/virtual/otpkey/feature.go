package otpkey

import (
	"encoding/binary"
	"time"
)

// ReportSize is a feature report's, in bytes.
const ReportSize = 8

// A command is a frame of 70 bytes in ten reports: 64 of payload, the command, the
// payload's CRC-16 (little endian, not complemented) and three zeros.
const (
	chunkSize   = 7
	chunks      = 10
	frameSize   = chunks * chunkSize
	payloadSize = 64
)

// Flags in a report's last byte, beside a number in the low five bits.
const (
	flagWrite    = 0x80 // from the host: a chunk; from the key: busy
	flagResponse = 0x40 // a chunk of the answer
	flagTouch    = 0x20 // waits for a touch, so many seconds more
	number       = 0x1f
)

// Commands. The others, which program the key, are refused.
const (
	cmdSerial     = 0x10
	cmdDeviceInfo = 0x13
	cmdOTP1       = 0x20
	cmdOTP2       = 0x28
	cmdHMAC1      = 0x30
	cmdHMAC2      = 0x38
)

// Set takes a feature report from the host.
func (k *Key) Set(report [ReportSize]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	seq := int(report[7] & number)
	switch {
	case report[7]&flagWrite == 0:
		return
	case seq >= chunks: // 0x8f and 0xff are how hosts end a transaction
		k.reset()
		return
	case now.Before(k.busy):
		return // lost: the host was told
	}
	k.busy = now.Add(k.config.Busy)
	if seq == 0 {
		k.reset()
	}
	copy(k.frame[seq*chunkSize:], report[:chunkSize])
	if seq == chunks-1 {
		k.execute(now)
	}
}

// Get answers a feature report to the host: a chunk of the answer, or the status.
func (k *Key) Get() [ReportSize]byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.answer != nil && !time.Now().Before(k.busy) {
		return k.chunk()
	}
	return k.status()
}

// chunk is the next one of the answer. After the last one come empty ones with number
// 0, until the host resets.
func (k *Key) chunk() (r [ReportSize]byte) {
	rest := k.answer[min(k.said*chunkSize, len(k.answer)):]
	r[7] = flagResponse
	if len(rest) == 0 {
		return r
	}
	copy(r[:chunkSize], rest)
	r[7] |= byte(k.said)
	k.said++
	return r
}

// status: version, how often it was programmed, which slots are (bits 0 and 1) and
// type when touched (bits 2 and 3).
func (k *Key) status() (r [ReportSize]byte) {
	c := &k.config
	copy(r[1:], c.Version[:])
	for i, s := range []Slot{c.Short, c.Long} {
		if !s.empty() {
			r[4]++
			r[5] |= 1 << i
		}
		if s.Types != nil {
			r[5] |= 4 << i
		}
	}
	now := time.Now()
	switch {
	case now.Before(k.busy):
		r[7] = flagWrite
	case k.waiting():
		left := (k.deadline.Sub(now) + time.Second - 1) / time.Second
		r[7] = flagTouch | byte(min(left, number))
	}
	return r
}

// execute runs the command of a whole frame. A refused one is answered by the status
// without any flag.
func (k *Key) execute(now time.Time) {
	payload, command := k.frame[:payloadSize], k.frame[payloadSize]
	sum := binary.LittleEndian.Uint16(k.frame[payloadSize+1:])
	if sum != crc(payload) || now.Before(k.deaf) {
		return
	}
	switch command {
	case cmdSerial:
		if !k.config.HideSerial {
			k.say(binary.BigEndian.AppendUint32(nil, k.config.Serial))
		}
	case cmdDeviceInfo:
		k.say(k.deviceInfo())
	case cmdOTP1, cmdHMAC1:
		k.challenge(&k.config.Short, command, payload)
	case cmdOTP2, cmdHMAC2:
		k.challenge(&k.config.Long, command, payload)
	}
}

// challenge answers at once or when touched.
func (k *Key) challenge(s *Slot, command byte, payload []byte) {
	if s.Answers == nil || !s.Answers.takes(command) {
		return
	}
	message := [payloadSize]byte(payload)
	answer := func() { k.say(s.Answers.respond(message[:])) }
	if !s.Touch {
		answer()
		return
	}
	k.pending, k.deadline = answer, time.Now().Add(k.config.TouchWait)
}

// say makes data the answer, with its checksum, complemented, behind it.
func (k *Key) say(data []byte) {
	k.answer = binary.LittleEndian.AppendUint16(data, ^crc(data))
	k.said = 0
}

// deviceInfo is a length and then fields of tag, length, value: which applications
// there are and are on (OTP and the rest of a YubiKey 5), serial, shape, version.
func (k *Key) deviceInfo() []byte {
	fields := []byte{
		0x01, 2, 0x02, 0x3f,
		0x03, 2, 0x02, 0x3f,
		0x04, 1, 0x01,
		0x05, 3, k.config.Version[0], k.config.Version[1], k.config.Version[2],
		0x06, 2, 0, 0,
		0x07, 1, byte(k.config.TouchWait / time.Second),
		0x08, 1, 0,
		0x0a, 1, 0,
	}
	if !k.config.HideSerial {
		fields = binary.BigEndian.AppendUint32(append(fields, 0x02, 4), k.config.Serial)
	}
	return append([]byte{byte(len(fields))}, fields...)
}

// crc is the CRC-16 of ISO/IEC 13239 without its last complement, bit by bit.
func crc(data []byte) uint16 {
	r := uint16(0xffff)
	for _, b := range data {
		r ^= uint16(b)
		for range 8 {
			low := r & 1
			r >>= 1
			if low == 1 {
				r ^= 0x8408
			}
		}
	}
	return r
}
