package fido

import (
	"slices"
)

// Faults of a key, for Options.Frames.

// Silence sends nothing.
func Silence([]Frame) []Frame { return nil }

// Garbage sends noise on the right channel.
func Garbage(frames []Frame) []Frame {
	for i := range frames {
		copy(frames[i][5:], random(FrameSize-5))
	}
	return frames
}

// Noise sends nothing but noise.
func Noise(frames []Frame) []Frame {
	for i := range frames {
		copy(frames[i][:], random(FrameSize))
	}
	return frames
}

// WrongNonce answers INIT as if another program had asked.
func WrongNonce(frames []Frame) []Frame {
	if frames[0][4] == hidInit|0x80 {
		frames[0][7] ^= 1
	}
	return frames
}

// WrongSequence swaps the packets after the first.
func WrongSequence(frames []Frame) []Frame {
	if len(frames) > 1 {
		slices.Reverse(frames[1:])
		frames[1][4]++
	}
	return frames
}

// Crossed puts packets of another channel between those of a message.
func Crossed(frames []Frame) []Frame {
	var all []Frame
	for _, f := range frames {
		other := f
		other[0] ^= 0x80
		all = append(all, other, f, other)
	}
	return all
}

// Busy says that the key is busy instead of its first n answers to CBOR and MSG.
func Busy(n int) func([]Frame) []Frame {
	return func(frames []Frame) []Frame {
		cmd := frames[0][4] &^ 0x80
		if n == 0 || cmd != hidCBOR && cmd != hidMsg {
			return frames
		}
		n--
		f := frames[0]
		clear(f[4:])
		f[4], f[6], f[7] = hidError|0x80, 1, hidBusy
		return []Frame{f}
	}
}

// Short leaves out the end of every answer, for Options.Answer.
func Short(_, answer []byte) []byte { return answer[:max(1, len(answer)-3)] }
