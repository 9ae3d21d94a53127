package wire

import (
	"bytes"
	"strconv"
	"strings"
)

// Refused is factord's ERR to a management command. Code is 100 plus the
// place of the reason; Text is for the person.
type Refused struct {
	Code int
	Text string
}

func (e *Refused) Error() string { return e.Text }

// Call sends one management command over l, which has been greeted. Each line
// of data that factord sends is given to data, without its end and valid until
// data returns; conv answers inquiries. A refusal is a *Refused.
func Call(l *Lines, command string, conv Conversation, data func(line []byte)) error {
	if len(command) > MaxLine {
		return ErrLineTooLong
	}
	l.Put(command)
	if err := l.Flush(); err != nil {
		return err
	}
	var pending []byte
	for total := 0; ; {
		line, err := l.Read()
		if err != nil {
			return err
		}
		if chunk, ok := strings.CutPrefix(string(line), VerbData+" "); ok {
			if total += len(chunk); total > MaxReply {
				return ErrTooLong
			}
			if pending, err = takeLines(pending, chunk, data); err != nil {
				return err
			}
			continue
		}
		if len(pending) > 0 {
			return ErrGrammar // data ends with the end of a line
		}
		if done, err := l.callLine(line, conv); done || err != nil {
			return err
		}
	}
}

// takeLines appends a chunk to what is pending and hands out whole lines.
func takeLines(pending []byte, chunk string, data func([]byte)) ([]byte, error) {
	decoded, err := Unescape([]byte(chunk))
	if err != nil {
		return nil, err
	}
	pending = append(pending, decoded...)
	for {
		i := bytes.IndexByte(pending, '\n')
		if i < 0 {
			return pending, nil
		}
		data(pending[:i])
		pending = append(pending[:0], pending[i+1:]...)
	}
}

// callLine handles every line but data and reports whether it was the last.
func (l *Lines) callLine(line []byte, conv Conversation) (done bool, err error) {
	verb, rest := Split(line)
	kind, text := Split([]byte(rest))
	switch {
	case verb == "OK":
		return true, nil
	case verb == "ERR":
		return true, refusal(rest)
	case verb == "S" && kind == "INFO":
		decoded, err := Unescape([]byte(text))
		if err != nil {
			return true, err
		}
		conv.Info(Printable(string(decoded)))
		return false, nil
	case verb == "INQUIRE":
		reply, err := l.answer(kind, text, conv)
		if err == nil && reply == ReplyRaced {
			err = ErrGrammar
		}
		return err != nil, err
	}
	return true, ErrGrammar
}

// refusal reads what follows an ERR. It is a *Refused, or says what is wrong with it.
func refusal(rest string) error {
	number, text := Split([]byte(rest))
	code, err := strconv.Atoi(number)
	if err != nil {
		return ErrGrammar
	}
	decoded, err := Unescape([]byte(text))
	if err != nil {
		return err
	}
	return &Refused{Code: code, Text: printableLines(string(decoded))}
}

// printableLines is Printable for a text that may have a hint on a line of its
// own.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Printable(line)
	}
	return strings.Join(lines, "\n")
}
