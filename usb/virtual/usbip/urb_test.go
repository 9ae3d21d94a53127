package usbip

import (
	"bytes"
	"io"
	"reflect"
	"testing"
)

// TestRequest: what Linux sends (Documentation/usb/usbip_protocol.rst, "example").
func TestRequest(t *testing.T) {
	submit := []byte{
		0, 0, 0, 1, 0, 0, 0x0d, 0x05, 0, 1, 0, 0x0f, 0, 0, 0, 1, 0, 0, 0, 1,
		0, 0, 2, 0, 0, 0, 0, 0x40, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0,
	}
	unlink := []byte{
		0, 0, 0, 2, 0, 0, 0x0d, 0x06, 0, 1, 0, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0x0d, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	}
	setup := Setup{RequestType: 0x21, Request: 9, Value: 0x0300, Index: 2, Length: 8}
	for name, c := range map[string]struct {
		wire []byte
		want request
	}{
		"in":     {submit, request{seq: 0xd05, in: true, endpoint: 1, length: 64}},
		"unlink": {unlink, request{seq: 0xd06, unlink: 0xd05}},
		"control": {submission(3, 0, false, setup, 8, []byte("12345678")),
			request{seq: 3, setup: setup, data: []byte("12345678")}},
		"out": {submission(4, 2, false, Setup{}, 2, []byte("ab")), request{seq: 4, endpoint: 2, data: []byte("ab")}},
	} {
		r := bytes.NewReader(append(c.wire, "next"...))
		got, err := readRequest(r)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
		}
		if r.Len() != len("next") {
			t.Errorf("%s: %d bytes left", name, r.Len())
		}
	}
}

func TestRequestRefused(t *testing.T) {
	good := func(change func(b []byte)) []byte {
		b := submission(1, 1, true, Setup{}, 8, nil)
		change(b)
		return b
	}
	for name, wire := range map[string][]byte{
		"command":       good(func(b []byte) { b[3] = 3 }),
		"no number":     good(func(b []byte) { b[7] = 0 }),
		"direction":     good(func(b []byte) { b[15] = 2 }),
		"endpoint":      good(func(b []byte) { b[19] = 16 }),
		"length":        good(func(b []byte) { b[24] = 1 }),
		"negative":      good(func(b []byte) { b[24] = 0xff }),
		"isochronous":   good(func(b []byte) { b[35] = 1 }),
		"unlink of 0":   unlinking(2, 0),
		"half a header": good(func([]byte) {})[:20],
		"half the data": submission(1, 1, false, Setup{}, 8, []byte("1234")),
		"length of OUT": submission(1, 1, false, Setup{}, maxTransfer+1, nil),
	} {
		if q, err := readRequest(bytes.NewReader(wire)); err == nil || err == io.EOF {
			t.Errorf("%s: %+v, %v", name, q, err)
		}
	}
}

// FuzzRequest: whatever comes, nothing is read twice, and no more than is bounded.
func FuzzRequest(f *testing.F) {
	f.Add(submission(1, 1, true, Setup{}, 8, nil))
	f.Add(append(submission(2, 0, false, Setup{0x21, 9, 0x300, 0, 8}, 8, []byte("12345678")), unlinking(3, 2)...))
	f.Add(unlinking(2, 1))
	f.Fuzz(func(t *testing.T, wire []byte) {
		r := bytes.NewReader(wire)
		for {
			before := r.Len()
			q, err := readRequest(r)
			if err != nil {
				return
			}
			if read := before - r.Len(); read != headerSize+len(q.data) {
				t.Fatalf("%d bytes read for %+v", read, q)
			}
			if q.length > maxTransfer || q.endpoint > maxEndpoint || q.seq == 0 {
				t.Fatalf("%+v", q)
			}
		}
	})
}
