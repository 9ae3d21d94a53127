package wire

import "strings"

// Reply is how a person, or a program for them, met an inquiry.
type Reply uint8

// Replies. The zero value cancels.
const (
	ReplyCancel Reply = iota
	// ReplyAnswer: the bytes are the answer; none of them is Enter.
	ReplyAnswer
	// ReplyRaced: the socket became readable first; only after Race.
	ReplyRaced
)

// Conversation is the client's side of a login: what it can show and ask.
type Conversation interface {
	// Info shows one line.
	Info(text string)
	// Ask answers an inquiry. The returned bytes are wiped after sending.
	Ask(kind, text string) ([]byte, Reply)
}

// Enroller is a Conversation that is told when the person is about to set up their
// first factor, which takes longer than an answer.
type Enroller interface {
	Conversation
	Enrolling()
}

// Login asks factord for a verdict over l, which no other command has used. An
// error is a refusal, and so is a Verdict that does not allow.
func Login(l *Lines, a Auth, conv Conversation) (Verdict, error) {
	line, err := a.Line()
	if err != nil {
		return Verdict{}, err
	}
	if err := Greet(l); err != nil {
		return Verdict{}, err
	}
	l.Put(line)
	if err := l.Flush(); err != nil {
		return Verdict{}, err
	}
	return l.awaitVerdict(a.Race, conv)
}

// Greet reads factord's greeting.
func Greet(l *Lines) error { return GreetAs(l, Greeting) }

// GreetAs reads the greeting of a server that begins with greeting. One that is
// refused at once is told so by a *Refused.
func GreetAs(l *Lines, greeting string) error {
	line, err := l.Read()
	if err != nil {
		return err
	}
	if s := string(line); s == greeting || strings.HasPrefix(s, greeting+" ") {
		return nil
	}
	if verb, rest := Split(line); verb == "ERR" {
		return refusal(rest)
	}
	return ErrGrammar
}

// awaitVerdict serves inquiries until the verdict has come with its final line.
func (l *Lines) awaitVerdict(race bool, conv Conversation) (Verdict, error) {
	raced, asked, enrolling := false, false, false
	for {
		line, err := l.Read()
		if err != nil {
			return Verdict{}, err
		}
		verb, rest := Split(line)
		kind, text := Split([]byte(rest))
		switch {
		case verb == "S" && kind == "VERDICT":
			return l.confirm(text)
		case raced:
			return Verdict{}, ErrGrammar // only the verdict may end an inquiry
		case verb == "S" && kind == "INFO":
			decoded, err := Unescape([]byte(text))
			if err != nil {
				return Verdict{}, err
			}
			conv.Info(Printable(string(decoded)))
		case string(line) == StatusEnrolling && !asked && !enrolling:
			enrolling = true
			if e, ok := conv.(Enroller); ok {
				e.Enrolling()
			}
		case verb == "INQUIRE":
			asked = asked || kind != AuthInfo
			reply, err := l.answer(kind, text, conv)
			if err != nil {
				return Verdict{}, err
			}
			if raced = reply == ReplyRaced; raced && !race {
				return Verdict{}, ErrGrammar
			}
		default:
			return Verdict{}, ErrGrammar
		}
	}
}

func (l *Lines) confirm(rest string) (Verdict, error) {
	v, err := ParseVerdict(rest)
	if err != nil {
		return Verdict{}, err
	}
	line, err := l.Read()
	if err != nil {
		return Verdict{}, err
	}
	return v.Confirm(string(line))
}

// answer asks the conversation and sends what it says.
func (l *Lines) answer(kind, text string, conv Conversation) (Reply, error) {
	decoded, err := Unescape([]byte(text))
	if err != nil {
		return ReplyCancel, err
	}
	data, reply := conv.Ask(kind, Printable(string(decoded)))
	defer clear(data)
	switch reply {
	case ReplyRaced:
		return reply, nil
	case ReplyAnswer:
		l.PutData(data)
		l.Put(VerbEnd)
	default:
		l.Put(VerbCancel)
	}
	return reply, l.Flush()
}
