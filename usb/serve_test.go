package usb_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/usbtest"
)

const patience = 20 * time.Second

// served is a connection that is being served.
type served struct {
	nc     *net.UnixConn
	lines  *wire.Lines
	result chan error
}

func serve(t *testing.T, keys usbtest.Keys) *served {
	t.Helper()
	client, server := usbtest.Pair(t)
	client.SetDeadline(time.Now().Add(patience))
	s := &served{client, wire.NewLines(client), make(chan error, 1)}
	go func() { s.result <- usb.Config{Operations: keys}.Serve(context.Background(), server) }()
	return s
}

func (s *served) send(t *testing.T, lines ...string) {
	t.Helper()
	for _, l := range lines {
		s.lines.Put(l)
	}
	if err := s.lines.Flush(); err != nil {
		t.Fatal(err)
	}
}

// expect reads one line.
func (s *served) expect(t *testing.T, want string) {
	t.Helper()
	line, err := s.lines.Read()
	if err != nil || string(line) != want {
		t.Fatalf("heard %q, %v; want %q", line, err, want)
	}
}

// ask says everything up to the request's end.
func (s *served) ask(t *testing.T, verb, request string) {
	t.Helper()
	s.expect(t, agent.Greeting)
	s.send(t, verb)
	s.expect(t, "INQUIRE REQUEST")
	s.send(t, "D "+request, "END")
}

// ended waits until Serve has returned.
func (s *served) ended(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.result:
		return err
	case <-time.After(patience):
		t.Fatal("the connection is still served")
		return nil
	}
}

func TestOperation(t *testing.T) {
	s := serve(t, usbtest.Keys{OnSign: func(_ context.Context, q agent.SignRequest, talk usb.Talk) (agent.SignReply, error) {
		if q.Slot != "9a" || string(q.Message) != "hello" || q.WaitTime() != time.Second {
			t.Errorf("asked for %+v", q)
		}
		talk.State(agent.Absent)
		talk.State(agent.Absent)
		pin, err := talk.PIN()
		talk.State(agent.Touch)
		return agent.SignReply{Signature: pin}, err
	}})
	s.ask(t, "SIGN", `{"serial":7,"slot":"9a","public_key":"AA==","message":"aGVsbG8=","wait":1000,"needs_pin":true}`)
	s.expect(t, "S INFO absent")
	s.expect(t, "INQUIRE SECRET")
	s.send(t, "D 12%25456", "END")
	s.expect(t, "S INFO touch")
	s.expect(t, `D {"signature":"MTIlNDU2"}%0A`)
	s.expect(t, "OK")
	if err := s.ended(t); err != nil {
		t.Error(err)
	}
}

// What an operation fails with reaches the caller: the tries that are left, above all.
func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		do   func() error
		want string
	}{
		{func() error { return &agent.Error{Code: agent.WrongPIN, Tries: 2, Text: "wrong PIN"} }, "ERR 10 2 wrong PIN"},
		{func() error { return errors.New("a\nb") }, "ERR 1 0 a?b"},
		{func() error { panic("out of range") }, "ERR 1 0 panic: out of range"},
		{func() error { return &agent.Error{Code: agent.Gone, Text: strings.Repeat("x", 2000)} }, ""},
	} {
		s := serve(t, usbtest.Keys{OnKeys: func(context.Context, agent.KeysRequest, usb.Talk) (agent.KeysReply, error) {
			return agent.KeysReply{}, tc.do()
		}})
		s.ask(t, "KEYS", `{"wait":0}`)
		if tc.want != "" {
			s.expect(t, tc.want)
		} else if line, err := s.lines.Read(); err != nil || !strings.HasPrefix(string(line), "ERR 4 0 xxx") {
			t.Errorf("heard %q, %v", line, err)
		}
		s.ended(t)
	}
}

// A caller that hangs up, or speaks out of turn, cancels; so does one that hangs up
// while its PIN is asked for.
func TestCancel(t *testing.T) {
	for name, tc := range map[string]struct {
		pin  bool
		then func(t *testing.T, s *served)
	}{
		"hang up":             {false, func(t *testing.T, s *served) { s.nc.Close() }},
		"no more":             {false, func(t *testing.T, s *served) { s.nc.CloseWrite() }},
		"speak":               {false, func(t *testing.T, s *served) { s.send(t, "NOP") }},
		"hang up at the PIN":  {true, func(t *testing.T, s *served) { s.nc.Close() }},
		"nonsense at the PIN": {true, func(t *testing.T, s *served) { s.send(t, "NOP") }},
	} {
		t.Run(name, func(t *testing.T) {
			cancelled := make(chan struct{})
			s := serve(t, usbtest.Keys{OnHMAC: func(ctx context.Context, _ agent.HMACRequest, talk usb.Talk) (agent.HMACReply, error) {
				talk.State(agent.Touch)
				if tc.pin {
					talk.PIN()
				}
				<-ctx.Done()
				close(cancelled)
				return agent.HMACReply{}, ctx.Err()
			}})
			s.ask(t, "HMAC", `{"serial":1,"slot":2,"challenge":"AQ==","wait":60000}`)
			s.expect(t, "S INFO touch")
			if tc.pin {
				s.expect(t, "INQUIRE SECRET")
			}
			tc.then(t, s)
			if err := s.ended(t); (err != nil) != (strings.HasPrefix(name, "speak") || strings.HasPrefix(name, "nonsense")) {
				t.Errorf("ended with %v", err)
			}
			<-cancelled
		})
	}
}

// An operation that can't be cancelled is left behind: the process ends then.
func TestHang(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	s := serve(t, usbtest.Keys{OnKeys: func(_ context.Context, _ agent.KeysRequest, talk usb.Talk) (agent.KeysReply, error) {
		talk.State(agent.Ready)
		<-never
		return agent.KeysReply{}, nil
	}})
	s.ask(t, "KEYS", `{"wait":0}`)
	s.expect(t, "S INFO ready")
	s.nc.Close()
	s.ended(t)
}

// What is not understood completely is refused.
func TestRefused(t *testing.T) {
	const hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for _, tc := range []struct{ verb, request string }{
		{"KEYS", ``}, {"KEYS", `null x`}, {"KEYS", `{"wait":0}{}`}, {"KEYS", `{"wait":0,"user":"alice"}`}, {"KEYS", `[]`},
		{"KEYS", `{"wait":-1}`}, {"KEYS", `{"wait":120001}`}, {"KEYS", `{"wait":0,"backend":"usbfs"}`}, {"KEYS", `{"wait":0,"device":"dev/x"}`},
		{"CAPTURE", `{"wait":0,"serials":[0]}`}, {"CAPTURE", `{"wait":0,"serials":[1],"any":true}`}, {"CAPTURE", `{"wait":0,"lengths":[81]}`},
		{"CAPTURE", `{"wait":0,"serials":[1],"scan_map":"AA=="}`}, {"CAPTURE", `{"wait":0,"serials":[4294967296]}`},
		{"HMAC", `{"wait":0,"serial":1,"slot":3,"challenge":"AQ=="}`}, {"HMAC", `{"wait":0,"serial":1,"slot":1}`},
		{"HMAC", `{"wait":0,"serial":1,"slot":1,"challenge":"AQA="}`}, // ends in 0
		{"CARD", `{"wait":0,"slot":"9b"}`}, {"CARD", `{"wait":0,"slot":"9a","tries":true}`}, {"CARD", `{"wait":0,"slot":"81"}`}, {"CARD", `{"wait":0,"slot":"96"}`}, {"CARD", `{"wait":0,"slot":"8g"}`},
		{"SIGN", `{"wait":0,"serial":1,"slot":"9a","public_key":"","message":"AA=="}`},
		{"SIGN", `{"wait":0,"serial":1,"slot":"9a","public_key":"AA==","message":"AA==","touch":"often"}`},
		{"CREATE", `{"wait":0,"rp_id":"","user_id":"AA==","client_data_hash":"` + hash + `"}`},
		{"CREATE", `{"wait":0,"rp_id":"a b","user_id":"AA==","client_data_hash":"` + hash + `"}`},
		{"CREATE", `{"wait":0,"rp_id":"a","user_id":"","client_data_hash":"` + hash + `"}`},
		{"CREATE", `{"wait":0,"rp_id":"a","user_id":"AA==","client_data_hash":"AA=="}`},
		{"CREATE", `{"wait":0,"rp_id":"a","user_id":"AA==","client_data_hash":"` + hash + `","port":"../1"}`},
		{"ASSERT", `{"wait":0,"rp_id":"a","client_data_hash":"` + hash + `","credentials":[],"up":true}`},
		{"ASSERT", `{"wait":0,"rp_id":"a","client_data_hash":"` + hash + `","credentials":[{"id":""}],"up":true}`},
	} {
		s := serve(t, usbtest.Keys{})
		s.ask(t, tc.verb, tc.request)
		if line, err := s.lines.Read(); err != nil || !strings.HasPrefix(string(line), "ERR 2 0 ") {
			t.Errorf("%s %s: heard %q, %v", tc.verb, tc.request, line, err)
		}
		s.ended(t)
	}
}

// Lines that are out of place, too long or too many.
func TestGarbledLines(t *testing.T) {
	long := strings.Repeat("x", 900)
	for name, lines := range map[string][]string{
		"verb":      {"AUTH user=alice"},
		"arguments": {"KEYS now"},
		"too long":  {strings.Repeat("K", 1200)},
		"escape":    {"KEYS", "D %zz", "END"},
		"end":       {"KEYS", "END x"},
		"cancelled": {"KEYS", "CAN"},
		"too much":  append([]string{"KEYS"}, strings.Split(strings.Repeat("D "+long+"\n", 20), "\n")...),
	} {
		s := serve(t, usbtest.Keys{})
		s.expect(t, agent.Greeting)
		for _, l := range lines {
			s.lines.Put(l)
		}
		s.lines.Flush() // it may have been hung up on before the last line
		for {
			line, err := s.lines.Read()
			if err != nil || strings.HasPrefix(string(line), "ERR 2 0 ") {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				break
			}
		}
		s.ended(t)
	}
}

// Who is neither factord nor this process's own user hears a no before anything else.
func TestForeignCaller(t *testing.T) {
	factordtest.NeedRoot(t)
	path := filepath.Join(factordtest.OpenDir(t), "usb.sock")
	usbtest.Listen(t, path, usb.Config{May: func(uid uint32) bool { return uid == 65533 }, Operations: usbtest.Keys{}})
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[int]string{65532: "ERR 3 0 uid 65532 may not ask for keys", 65533: agent.Greeting, -1: agent.Greeting} {
		c, err := factordtest.Dial(path, uid)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if line, err := wire.NewLines(c).Read(); err != nil || string(line) != want {
			t.Errorf("uid %d hears %q, %v; want %q", uid, line, err, want)
		}
	}
}

func FuzzServe(f *testing.F) {
	f.Add([]byte("KEYS\nD {\"wait\":0}\nEND\n"))
	f.Add([]byte("SIGN\nD {\"serial\":1,\"slot\":\"9a\",\"public_key\":\"AA==\",\"message\":\"AA==\",\"wait\":0}\nEND\nD 123456\nEND\n"))
	f.Add([]byte("CAPTURE\nD {\"wait\":0,\"any\":true}\r\nEND\n"))
	f.Add([]byte("ASSERT\nCAN\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		client, server := usbtest.Pair(t)
		client.SetDeadline(time.Now().Add(patience))
		done := make(chan error, 1)
		go func() {
			done <- usb.Config{Operations: usbtest.Keys{OnSign: func(_ context.Context, _ agent.SignRequest, talk usb.Talk) (agent.SignReply, error) {
				_, err := talk.PIN()
				return agent.SignReply{}, err
			}}}.Serve(context.Background(), server)
		}()
		client.Write(text)
		client.CloseWrite()
		lines := wire.NewLines(client)
		for {
			line, err := lines.Read()
			if err != nil {
				break // it may have ended before all was read
			}
			if verb, _ := wire.Split(line); !strings.Contains(" OK ERR S INQUIRE D ", " "+verb+" ") {
				t.Errorf("heard %q", line)
			}
		}
		<-done
	})
}
