package servers

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"sync"
	"testing"
)

// A peerNetwork has a proxy before the peer port of each member, so that it can
// cut one off. Who connects is known by the header X-Server-From, which members
// send with their first request.
type peerNetwork struct {
	t testing.TB

	mu       sync.Mutex
	closed   bool
	isolated string            // the ID of a member, in hexadecimal digits
	ids      map[string]string // by the address at which a member listens
	conns    map[*peerConn]bool
}

type peerConn struct {
	from, to       string // the ID of a member; the address at which one listens
	client, server net.Conn
}

func newPeerNetwork(t testing.TB) *peerNetwork {
	n := &peerNetwork{t: t, ids: make(map[string]string), conns: make(map[*peerConn]bool)}
	t.Cleanup(func() {
		n.mu.Lock()
		n.closed = true
		for c := range n.conns {
			c.close()
		}
		n.mu.Unlock()
	})
	return n
}

// lead starts a proxy that leads to an address, and returns its own.
func (n *peerNetwork) lead(target string) string {
	n.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go n.serve(client, target)
		}
	}()
	return l.Addr().String()
}

func (n *peerNetwork) name(m *EtcdMember) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, arg := range m.command {
		if arg == "--listen-peer-urls" {
			n.ids[m.command[i+1][len("http://"):]] = fmt.Sprintf("%x", m.ID)
		}
	}
}

// isolate cuts a member off; 0 stands for none.
func (n *peerNetwork) isolate(id uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.isolated = ""; id != 0 {
		n.isolated = fmt.Sprintf("%x", id)
	}
	for c := range n.conns {
		if n.cut(c) {
			c.close()
		}
	}
}

func (n *peerNetwork) cut(c *peerConn) bool {
	return n.closed || n.isolated != "" && (c.from == n.isolated || n.ids[c.to] == n.isolated)
}

func (n *peerNetwork) serve(client net.Conn, target string) {
	server, err := net.Dial("tcp", target)
	if err != nil {
		client.Close()
		return
	}
	in := bufio.NewReaderSize(client, 1<<16)
	c := &peerConn{from: sender(in), to: target, client: client, server: server}
	defer c.close()
	if !n.keep(c) {
		return
	}
	defer n.forget(c)
	go func() {
		defer c.close()
		bufio.NewReader(server).WriteTo(client)
	}()
	in.WriteTo(server)
}

// sender peeks at the first request on a connection.
func sender(in *bufio.Reader) string {
	for n := 1; ; n = in.Buffered() + 1 {
		_, err := in.Peek(n)
		head, _ := in.Peek(in.Buffered())
		head, _, whole := bytes.Cut(head, []byte("\r\n\r\n"))
		if _, after, ok := bytes.Cut(head, []byte("\r\nX-Server-From: ")); ok && whole {
			id, _, _ := bytes.Cut(after, []byte("\r\n"))
			return string(id)
		}
		if err != nil || whole {
			return ""
		}
	}
}

func (n *peerNetwork) keep(c *peerConn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns[c] = true
	return !n.cut(c)
}

func (n *peerNetwork) forget(c *peerConn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

func (c *peerConn) close() {
	c.client.Close()
	c.server.Close()
}
