package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// script is a peer that says its lines at once and swallows what it is told.
type script struct {
	io.Reader
	told bytes.Buffer
}

func (s *script) Write(p []byte) (int, error) { return s.told.Write(p) }

func say(lines ...string) *script {
	return &script{Reader: strings.NewReader(strings.Join(lines, "\n") + "\n")}
}

// typist answers every inquiry with the same words.
type typist struct {
	answer string
	reply  Reply
	shown  []string
}

func (p *typist) Info(text string) { p.shown = append(p.shown, text) }
func (p *typist) Ask(kind, text string) ([]byte, Reply) {
	p.shown = append(p.shown, kind+" "+text)
	return []byte(p.answer), p.reply
}

func TestLoginAllows(t *testing.T) {
	s := say(Greeting, "S INFO Push sent to Pixel 5", "INQUIRE SECRET Passcode, or Enter for a push:%20",
		"S VERDICT allow basis=factor factor=totp rule=admins%20over%20ssh", "OK")
	p := &typist{answer: "12%34\n", reply: ReplyAnswer}
	v, err := Login(NewLines(s), Auth{User: "al ice", Service: "sshd", Conv: ConvFlush}, p)
	if err != nil || !v.Allow || v.Basis != BasisFactor || v.Factor != "totp" || v.Rule != "admins over ssh" {
		t.Fatalf("got %+v, %v", v, err)
	}
	want := "AUTH user=al%20ice service=sshd phase=auth conv=flush\nD 12%2534%0A\nEND\n"
	if got := s.told.String(); got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	if got := strings.Join(p.shown, "|"); got != "Push sent to Pixel 5|SECRET Passcode, or Enter for a push: " {
		t.Errorf("showed %q", got)
	}
}

// enroller is a typist who is told when somebody enrols.
type enroller struct {
	typist
	told int
}

func (e *enroller) Enrolling() { e.told++ }

func TestLoginEnrolling(t *testing.T) {
	lines := []string{Greeting, "INQUIRE AUTHINFO", "S INFO hello", StatusEnrolling, "INQUIRE PROMPT First code:%20", "S VERDICT allow basis=factor factor=totp", "OK"}
	p := &enroller{typist: typist{reply: ReplyAnswer}}
	if v, err := Login(NewLines(say(lines...)), Auth{}, p); err != nil || !v.Allow || p.told != 1 {
		t.Errorf("%+v, %v, told %d times", v, err, p.told)
	}
	if v, err := Login(NewLines(say(lines...)), Auth{}, &typist{reply: ReplyAnswer}); err != nil || !v.Allow {
		t.Errorf("who need not be told: %+v, %v", v, err)
	}
}

func TestLoginDenies(t *testing.T) {
	v, err := Login(NewLines(say(Greeting, "S VERDICT deny reason=locked rule=#2", "ERR 104 wait%1b[2J 4 s")), Auth{}, &typist{})
	if err != nil || v.Allow || v.Reason != ReasonLocked || v.Rule != "#2" || v.Text != "wait?[2J 4 s" {
		t.Fatalf("got %+v, %v", v, err)
	}
}

// Each of these must be a refusal, whatever it looks like.
func TestGrammarViolations(t *testing.T) {
	const allow = "S VERDICT allow basis=factor factor=totp"
	for name, lines := range map[string][]string{
		"no greeting":                 {allow, "OK"},
		"other greeting":              {"OK factord 2", allow, "OK"},
		"greeting with a tail":        {"OK factord 1x", allow, "OK"},
		"OK without verdict":          {Greeting, "OK"},
		"ERR without verdict":         {Greeting, "ERR 101 denied"},
		"allow without final line":    {Greeting, allow},
		"allow with ERR":              {Greeting, allow, "ERR 101 denied"},
		"allow, info, OK":             {Greeting, allow, "S INFO hello", "OK"},
		"two verdicts":                {Greeting, allow, allow, "OK"},
		"deny then allow":             {Greeting, "S VERDICT deny reason=denied", allow, "OK"},
		"deny with OK":                {Greeting, "S VERDICT deny reason=denied", "OK"},
		"deny with another number":    {Greeting, "S VERDICT deny reason=denied", "ERR 102 x"},
		"no basis":                    {Greeting, "S VERDICT allow", "OK"},
		"empty basis":                 {Greeting, "S VERDICT allow basis=", "OK"},
		"unknown basis":               {Greeting, "S VERDICT allow basis=trust", "OK"},
		"basis twice":                 {Greeting, "S VERDICT allow basis=factor basis=factor", "OK"},
		"unknown key":                 {Greeting, allow + " user=root", "OK"},
		"bad escape":                  {Greeting, allow + " rule=%zz", "OK"},
		"cut escape":                  {Greeting, allow + " rule=%2", "OK"},
		"decoded control":             {Greeting, allow + " rule=a%0ab", "OK"},
		"not UTF-8":                   {Greeting, allow + " rule=%ff", "OK"},
		"audit without would":         {Greeting, "S VERDICT allow basis=audit", "OK"},
		"would without audit":         {Greeting, allow + " would=101", "OK"},
		"would out of range":          {Greeting, "S VERDICT allow basis=audit would=115", "OK"},
		"two spaces":                  {Greeting, "S VERDICT allow  basis=factor", "OK"},
		"ALLOW":                       {Greeting, "S VERDICT ALLOW basis=factor", "OK"},
		"OKAY":                        {Greeting, allow, "OKAY"},
		"enrolling twice":             {Greeting, StatusEnrolling, StatusEnrolling, allow, "OK"},
		"enrolling, and more":         {Greeting, StatusEnrolling + " 1000", allow, "OK"},
		"enrolling, lower case":       {Greeting, "S enrolling", allow, "OK"},
		"enrolling after a question":  {Greeting, "INQUIRE SECRET x:%20", StatusEnrolling, allow, "OK"},
		"enrolling after the verdict": {Greeting, allow, StatusEnrolling, "OK"},
		"unknown status":              {Greeting, "S PROGRESS x", allow, "OK"},
		"comment":                     {Greeting, "# hello", allow, "OK"},
		"data":                        {Greeting, "D x", allow, "OK"},
		"a line of 100 kB":            {Greeting, strings.Repeat("x", 100_000), allow, "OK"},
		"verdict line of 100 kB":      {Greeting, allow + " rule=" + strings.Repeat("x", 100_000), "OK"},
		"empty line":                  {Greeting, "", allow, "OK"},
		"verdict before the greeting": {allow, Greeting, "OK"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := Login(NewLines(say(lines...)), Auth{}, &typist{})
			if v.Allow || err == nil && v.Reason == ReasonNone {
				t.Errorf("got %+v, %v", v, err)
			}
		})
	}
}

func TestEndOfFileRefuses(t *testing.T) {
	whole := Greeting + "\nS VERDICT allow basis=exempt\nOK\n"
	for n := range len(whole) {
		s := &script{Reader: strings.NewReader(whole[:n])}
		if v, err := Login(NewLines(s), Auth{}, &typist{}); v.Allow || err == nil {
			t.Errorf("after %q: %+v, %v", whole[:n], v, err)
		}
	}
}

func TestRaceEndsAnInquiryWithTheVerdictOnly(t *testing.T) {
	inquiry, allow := "INQUIRE SECRET x:%20", "S VERDICT allow basis=factor factor=duo"
	v, err := Login(NewLines(say(Greeting, inquiry, allow, "OK")), Auth{Race: true}, &typist{reply: ReplyRaced})
	if err != nil || !v.Allow {
		t.Errorf("raced verdict: %+v, %v", v, err)
	}
	for name, lines := range map[string][]string{
		"info in an inquiry":    {Greeting, inquiry, "S INFO x", allow, "OK"},
		"enrolling in one":      {Greeting, inquiry, StatusEnrolling, allow, "OK"},
		"inquiry in an inquiry": {Greeting, inquiry, inquiry, allow, "OK"},
	} {
		if v, err := Login(NewLines(say(lines...)), Auth{Race: true}, &typist{reply: ReplyRaced}); v.Allow || err == nil {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
	if v, err := Login(NewLines(say(Greeting, inquiry, allow, "OK")), Auth{}, &typist{reply: ReplyRaced}); v.Allow || err == nil {
		t.Errorf("raced without race=1: %+v, %v", v, err)
	}
}

func TestVerdictRoundTrip(t *testing.T) {
	for _, v := range []Verdict{
		{}, {Reason: ReasonPushDenied, Rule: "a b%", Text: "no %0a"},
		{Allow: true, Basis: BasisFactor, Factor: "backup", Rule: "#1"},
		{Allow: true, Basis: BasisAudit, Reason: ReasonReplayed, Rule: "trial"},
	} {
		status, final := v.Lines()
		got, err := ParseVerdict(strings.TrimPrefix(status, "S VERDICT "))
		if err == nil {
			got, err = got.Confirm(final)
		}
		if err != nil || got.Allow != v.Allow || got.Basis != v.Basis || got.Rule != v.Rule || got.Factor != v.Factor {
			t.Errorf("%+v came back as %+v, %v", v, got, err)
		}
	}
	if status, final := (Verdict{Allow: true}).Lines(); strings.Contains(status, "allow") || final == "OK" {
		t.Errorf("an allow without basis was sent: %q %q", status, final)
	}
}

func TestReasonNumbers(t *testing.T) {
	for want, name := range map[int]string{101: "denied", 102: "not-enrolled", 103: "no-rule", 104: "locked", 105: "rate-limited",
		106: "unavailable", 107: "timeout", 108: "cancelled", 109: "replayed", 110: "protocol", 111: "not-permitted",
		112: "internal", 113: "attempts", 114: "push-denied"} {
		if r := Reason(want - 100); r.String() != name || r.Code() != want {
			t.Errorf("reason %d is %q with number %d, want %q", want-100, r, r.Code(), name)
		}
	}
	if Reason(0).Code() != 112 || Reason(200).Code() != 112 {
		t.Error("a reason that is not one must read as internal")
	}
}

func TestCall(t *testing.T) {
	var got []string
	s := say("D {\"a\":\"50%25\"}%0A{\"b\"", "D :1}%0A", "INQUIRE PROMPT Code:%20", "OK")
	err := Call(NewLines(s), "LIST", &typist{reply: ReplyAnswer, answer: "1"}, func(line []byte) { got = append(got, string(line)) })
	if err != nil || strings.Join(got, "|") != `{"a":"50%"}|{"b":1}` {
		t.Errorf("got %q, %v", got, err)
	}
	var refused *Refused
	err = Call(NewLines(say("ERR 111 only root%0Ahint: be root")), "LIST", &typist{}, nil)
	if !errors.As(err, &refused) || refused.Code != 111 || refused.Text != "only root\nhint: be root" {
		t.Errorf("got %v", err)
	}
	for _, line := range []string{"ERR x", "D x", "S VERDICT allow basis=factor", "", "END"} {
		if err := Call(NewLines(say(line, "OK")), "LIST", &typist{}, func([]byte) {}); err == nil {
			t.Errorf("%q was taken", line)
		}
	}
}
