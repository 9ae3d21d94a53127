package audit

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"

	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

const (
	// journalSocket is the one of journald's native protocol
	// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL).
	journalSocket = "/run/systemd/journal/socket"
	// gateTime is how long journald's socket is taken for the same one.
	gateTime = time.Second
	// authpriv is the syslog facility of what is security and private
	// (syslog(3): LOG_AUTHPRIV).
	authpriv = "10"
)

// UnderJournal reports whether factord's log goes to journald, and journald
// takes structured records: what is run by hand speaks to its terminal.
func UnderJournal() bool {
	stream, err := journal.StderrIsJournalStream()
	return stream && err == nil && journal.Enabled()
}

// journald gives records to the systemd journal.
type journald struct {
	gate  *net.UnixConn // connected, so that it can be asked for room
	since time.Time
}

// put implements sink.
func (j *journald) put(r store.Record, deadline time.Time) error {
	if err := j.room(deadline); err != nil {
		return err
	}
	k := kindOf(r.Event)
	err := journal.Send(wire.Printable(k.say(r.Event)), k.priority, fields(k, r.Event))
	if err != nil {
		j.close() // journald may have made its socket anew
	}
	return err
}

// room waits until journald's queue has room. journal.Send has no deadline, and
// sends from a socket that is not connected, for which the kernel can't wait:
// while journald hangs, Go's poller would try again without a pause, a whole
// processor's worth. Where others take the last place first it still does, until
// journald reads on.
func (j *journald) room(deadline time.Time) error {
	if err := j.connect(); err != nil {
		return fmt.Errorf("connecting to journald: %w", err)
	}
	j.gate.SetWriteDeadline(deadline)
	raw, err := j.gate.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Write(func(fd uintptr) bool {
		ask := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(ask, 0)
		return n > 0 || err != nil && err != unix.EINTR
	})
}

// connect opens the gate, and now and then anew: a connection to a socket that
// journald has replaced would always find room.
func (j *journald) connect() error {
	if j.gate != nil && time.Since(j.since) < gateTime {
		return nil
	}
	j.close()
	gate, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: journalSocket, Net: "unixgram"})
	if err == nil {
		j.gate, j.since = gate, time.Now()
	}
	return err
}

// close implements sink.
func (j *journald) close() {
	if j.gate != nil {
		j.gate.Close()
		j.gate = nil
	}
}

// fields are what a record is found by. Users, services and addresses are text
// from outside: control characters are taken out, so that no value is more than
// one line, which the protocol would need another form for.
func fields(k kind, e store.Event) map[string]string {
	m := map[string]string{
		"MESSAGE_ID": k.id, "SYSLOG_IDENTIFIER": "factord", "SYSLOG_FACILITY": authpriv,
		"FACTORD_KIND": e.Kind, "FACTORD_USER": e.User, "FACTORD_TARGET": e.Target, "FACTORD_SERVICE": e.Service,
		"FACTORD_RHOST": e.RHost, "FACTORD_RUSER": e.RUser, "FACTORD_TTY": e.TTY, "FACTORD_PHASE": e.Phase, "FACTORD_COMMAND": e.Command,
		"FACTORD_KEY": e.Key, "FACTORD_VERDICT": e.Verdict, "FACTORD_BASIS": e.Basis, "FACTORD_REASON": e.Reason,
		"FACTORD_RULE": e.Rule, "FACTORD_FACTOR": e.Factor, "FACTORD_ID": e.ID, "FACTORD_WHY": e.Log,
		"FACTORD_PEER_UID": strconv.FormatUint(uint64(e.PeerUID), 10),
		"FACTORD_PEER_PID": strconv.FormatInt(int64(e.PeerPID), 10),
		"FACTORD_TIME":     e.Time.Format(time.RFC3339Nano),
	}
	if e.Seq > 0 {
		m["FACTORD_SEQ"] = strconv.FormatUint(e.Seq, 10)
	}
	if e.Micros > 0 {
		m["FACTORD_MICROS"] = strconv.FormatInt(e.Micros, 10)
	}
	for name, value := range m {
		if value == "" {
			delete(m, name)
		} else {
			m[name] = wire.Printable(value)
		}
	}
	return m
}
