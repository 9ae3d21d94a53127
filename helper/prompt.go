package helper

import "github.com/factord/factord/daemon/wire"

// prompt asks on the terminal, and ends when factord speaks first: a push may
// have been approved meanwhile.
func (a *attempt) prompt(echo bool, text string) ([]byte, wire.Reply) {
	a.term.hush(true)
	put(a.term.fd, text)
	a.said = ""
	defer put(a.term.fd, "\n")
	e := &editor{echo: echo}
	for !a.lines.Buffered() {
		sock, keys, err := a.watch.wait(readable(a.conn.fd), readable(a.term.fd))
		switch {
		case err != nil:
			e.wipe()
			return nil, wire.ReplyCancel // sending it meets the same error
		case sock != 0:
			e.wipe()
			return nil, wire.ReplyRaced
		case keys == 0:
			continue
		}
		switch a.feed(e) {
		case eventEnter:
			return e.answer(), wire.ReplyAnswer
		case eventCancel:
			a.watch.cancel()
			return nil, wire.ReplyCancel
		}
	}
	return nil, wire.ReplyRaced
}

// feed gives e what has been typed. What follows Enter is dropped.
func (a *attempt) feed(e *editor) event {
	var typed [64]byte
	defer clear(typed[:])
	n, gone := a.term.read(typed[:])
	for _, c := range typed[:n] {
		event, shown := e.key(c)
		put(a.term.fd, shown)
		if event != eventNone {
			return event
		}
	}
	if gone {
		e.wipe()
		return eventCancel
	}
	return eventNone
}
