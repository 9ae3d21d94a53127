package daemon

import (
	"container/list"
	"net"

	"golang.org/x/sys/unix"
)

// Limits of connections.
const (
	// maxPerUID is how many connections one uid may have; root is exempt.
	maxPerUID = 64
	// maxTotal is how many connections there may be in all; a quarter of
	// them is root's.
	maxTotal = 4096
	// otherFiles are descriptors that are no connections.
	otherFiles = 64
)

// doors count who is in. Over a limit, the oldest connection that has not sent
// AUTH makes room; when there is none, the new one stays outside.
type doors struct {
	max, total, others int // others: connections of uids other than root
	byUID              map[uint32]int
	waiting            list.List // *place, not yet sent AUTH, oldest first
}

// place is one connection's.
type place struct {
	uid     uint32
	conn    net.Conn
	waiting *list.Element
}

func (d *doors) init() {
	d.byUID = map[uint32]int{}
	d.max = maxTotal
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && limit.Cur < maxTotal+otherFiles {
		d.max = max(int(limit.Cur)-otherFiles, maxPerUID)
	}
}

// enter counts a new connection in, and reports whether it may stay.
func (d *doors) enter(uid uint32, conn net.Conn) (*place, bool) {
	if uid != 0 && d.byUID[uid] >= maxPerUID {
		return nil, false
	}
	full := d.total >= d.max || uid != 0 && d.others >= d.max-d.max/4
	if full && !d.makeRoom(uid) {
		return nil, false
	}
	p := &place{uid: uid, conn: conn}
	p.waiting = d.waiting.PushBack(p)
	d.count(p, 1)
	return p, true
}

// makeRoom closes the oldest connection that waits: another's than root's, or,
// if root needs the room and nobody else's is there, root's own.
func (d *doors) makeRoom(uid uint32) bool {
	var victim *place
	for e := d.waiting.Front(); e != nil; e = e.Next() {
		p := e.Value.(*place)
		if p.uid != 0 {
			victim = p
			break
		}
		if uid == 0 && victim == nil {
			victim = p
		}
	}
	if victim == nil {
		return false
	}
	victim.conn.Close() // its session ends and leaves
	d.leave(victim)
	return true
}

// busy marks p as a connection that has sent AUTH.
func (d *doors) busy(p *place) {
	if p.waiting != nil {
		d.waiting.Remove(p.waiting)
		p.waiting = nil
	}
}

// leave counts p out, once.
func (d *doors) leave(p *place) {
	if p.conn == nil {
		return
	}
	p.conn = nil
	d.busy(p)
	d.count(p, -1)
}

func (d *doors) count(p *place, n int) {
	d.total += n
	if p.uid == 0 {
		return
	}
	d.others += n
	if d.byUID[p.uid] += n; d.byUID[p.uid] == 0 {
		delete(d.byUID, p.uid)
	}
}
