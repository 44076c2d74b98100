package servers

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy is an address of which one can change where it leads, as a name does
// that follows the master.
type Proxy struct {
	listener net.Listener

	mu     sync.Mutex
	target string
	conns  map[net.Conn]bool

	silent atomic.Bool
}

// NewProxy starts a proxy in front of a server at host:port.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, target: target, conns: make(map[net.Conn]bool)}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.Lead("")
		group.Wait()
	})
	return p
}

// Addr is the proxy's host and port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Lead makes the proxy lead to another server, and cuts all connections.
func (p *Proxy) Lead(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
	for conn := range p.conns {
		conn.Close()
	}
}

// CutOne cuts one of the connections, whichever.
func (p *Proxy) CutOne() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		conn.Close()
		return
	}
}

// DropAnswers makes the proxy pass on what clients send, and cut the connection
// when the server answers.
func (p *Proxy) DropAnswers(drop bool) { p.silent.Store(drop) }

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.keep(target, client, server) {
		return
	}
	defer p.forget(client, server)
	go func() {
		defer client.Close()
		io.Copy(answers{client, p}, server)
	}()
	io.Copy(server, client)
}

type answers struct {
	client net.Conn
	proxy  *Proxy
}

func (a answers) Write(answer []byte) (int, error) {
	if a.proxy.silent.Load() {
		return 0, net.ErrClosed
	}
	return a.client.Write(answer)
}

func (p *Proxy) keep(target string, conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		p.conns[conn] = true
	}
	return target == p.target
}

func (p *Proxy) forget(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		delete(p.conns, conn)
	}
}
