package reader

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/factord/factord/usb/virtual/card"
)

// Key is a card in a reader.
type Key struct {
	Card *card.Card
	// Reader is the name of its reader.
	Reader string

	readers *Readers
	port    int
	pull    context.CancelFunc
	served  chan struct{} // closed when the card is served no more
}

// Insert plugs a card into the first empty reader, and returns when pcscd has seen it.
func (r *Readers) Insert(c *card.Card) *Key {
	r.t.Helper()
	for i := range r.keys {
		if r.keys[i] == nil {
			return r.InsertAt(i, c)
		}
	}
	r.t.Fatal("all readers have a card")
	return nil
}

// InsertAt plugs a card into a reader; 0 is the first.
func (r *Readers) InsertAt(i int, c *card.Card) *Key {
	r.t.Helper()
	if r.keys[i] != nil {
		r.t.Fatalf("reader %d has a card", i)
	}
	k := &Key{Card: c, Reader: readerName(i), readers: r, port: firstPort + i}
	r.keys[i] = k
	k.plug()
	return k
}

// readerName is how pcscd numbers those of one entry.
func readerName(i int) string {
	return fmt.Sprintf("%s 00 %02d", entryName(i/perDriver), i%perDriver)
}

// plug inserts the card and waits until pcscd knows.
func (k *Key) plug() {
	t := k.readers.t
	t.Helper()
	conn, err := k.readers.run.dial(k.port)
	if err != nil {
		t.Fatalf("inserting a card: %v\n%s", err, k.readers.Log())
	}
	ctx, pull := context.WithCancel(context.Background())
	k.pull, k.served = pull, make(chan struct{})
	go func() {
		defer close(k.served)
		k.Card.Serve(ctx, conn)
	}()
	k.readers.eventually("a card is in "+k.Reader, k.present)
}

// unplug removes the card, whatever pcscd does.
func (k *Key) unplug() {
	k.pull()
	<-k.served
}

// Remove pulls the key out, and returns when pcscd has seen it.
func (k *Key) Remove() {
	k.readers.t.Helper()
	k.unplug()
	for i, other := range k.readers.keys {
		if other == k {
			k.readers.keys[i] = nil
		}
	}
	if k.readers.run != nil {
		k.readers.eventually("no card is in "+k.Reader, func() bool { return !k.present() })
	}
}

// gone reports whether a fault has pulled the key out.
func (k *Key) gone() bool {
	select {
	case <-k.served:
		return true
	default:
		return false
	}
}

// Removed is closed when the card is in the reader no more, by Remove or by a fault.
// After a fault Remove makes room for another key.
func (k *Key) Removed() <-chan struct{} { return k.served }

// dial connects to a port in pcscd's network.
func (p *process) dial(port int) (*net.TCPConn, error) {
	type result struct {
		conn *net.TCPConn
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its network
		namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", p.cmd.Process.Pid))
		if err == nil {
			defer namespace.Close()
			err = unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET)
		}
		var conn *net.TCPConn
		if err == nil {
			conn, err = net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		}
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}
