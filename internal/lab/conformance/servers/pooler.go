package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Pooler is a pooler in transaction mode in front of a PostgreSQL server. It
// gives each transaction the connection that has rested longest, so that two of
// a client seldom meet the same one.
type Pooler struct {
	URL string

	t        testing.TB
	server   *pgconn.Config
	listener net.Listener
	idle     chan *pooled
	renames  bool
	names    atomic.Int64
	clients  sync.WaitGroup
}

// A pooled connection leads to the server.
type pooled struct {
	*pgproto3.Frontend
	conn  net.Conn
	known map[string]bool // names that the server has
}

// NewPooler starts a pooler with a number of connections to a server. One that
// renames prepares each named statement on each connection that needs it, under
// a name of its own, as PgBouncer does with max_prepared_statements. Otherwise
// names reach the server as they are.
func NewPooler(t testing.TB, server *SQL, size int, renames bool) *Pooler {
	t.Helper()
	config, err := pgconn.ParseConfig(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Pooler{t: t, server: config, listener: l, idle: make(chan *pooled, size), renames: renames}
	p.URL = fmt.Sprintf("postgres://admin@%s/%s?sslmode=disable", l.Addr(), config.Database)
	for range size {
		p.idle <- p.connect()
	}
	p.clients.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.clients.Wait()
		for range size {
			(<-p.idle).conn.Close()
		}
	})
	return p
}

func (p *Pooler) connect() *pooled {
	c, err := pgconn.ConnectConfig(context.Background(), p.server)
	if err != nil {
		p.t.Error(err)
		return &pooled{}
	}
	hijacked, err := c.Hijack()
	if err != nil {
		p.t.Error(err)
	}
	return &pooled{hijacked.Frontend, hijacked.Conn, make(map[string]bool)}
}

func (p *Pooler) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.clients.Go(func() {
			defer conn.Close()
			c := &poolerClient{Backend: pgproto3.NewBackend(conn, conn), Pooler: p, statements: make(map[string]*pgproto3.Parse)}
			c.serve()
		})
	}
}

type poolerClient struct {
	*pgproto3.Backend
	*Pooler
	statements map[string]*pgproto3.Parse // of the client, if the pooler renames
	parses     []parse                    // whose responses are still to come
}

type parse struct {
	name string // on the server
	own  bool   // of the pooler, so the client expects no response
}

// serve ends with the connection of the client.
func (c *poolerClient) serve() error {
	m, err := c.ReceiveStartupMessage()
	if _, starts := m.(*pgproto3.StartupMessage); !starts || err != nil {
		return err
	}
	c.Send(&pgproto3.AuthenticationOk{})
	c.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	c.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	c.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte("none")})
	c.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	for {
		if err := c.Flush(); err != nil {
			return err
		}
		m, err := c.Receive()
		if err != nil {
			return err
		}
		if _, ends := m.(*pgproto3.Terminate); ends {
			return nil
		}
		server := <-c.idle
		if err := c.transaction(m, server); err != nil {
			server.conn.Close() // which may be in a transaction
			c.idle <- c.connect()
			return err
		}
		c.idle <- server
	}
}

// transaction forwards messages until the server is in no transaction.
func (c *poolerClient) transaction(m pgproto3.FrontendMessage, server *pooled) (err error) {
	for {
		if err := c.forward(m, server); err != nil {
			return err
		}
		switch m.(type) {
		case *pgproto3.Sync, *pgproto3.Query:
			if status, err := c.respond(server); err != nil || status == 'I' {
				return err
			}
			if err := c.Flush(); err != nil {
				return err
			}
		}
		if m, err = c.Receive(); err != nil {
			return err
		}
	}
}

func (c *poolerClient) forward(m pgproto3.FrontendMessage, server *pooled) error {
	if !c.renames {
		server.Send(m)
		return nil
	}
	switch m := m.(type) {
	case *pgproto3.Parse:
		if m.Name != "" {
			renamed := &pgproto3.Parse{Name: fmt.Sprint("pooler_", c.names.Add(1)), Query: m.Query, ParameterOIDs: slices.Clone(m.ParameterOIDs)}
			c.statements[m.Name] = renamed
			c.parse(renamed, server, false)
			return nil
		}
		c.parses = append(c.parses, parse{})
	case *pgproto3.Bind:
		if m.PreparedStatement != "" {
			return c.use(&m.PreparedStatement, m, server)
		}
	case *pgproto3.Describe:
		if m.ObjectType == 'S' && m.Name != "" {
			return c.use(&m.Name, m, server)
		}
	case *pgproto3.Close:
		if st := c.statements[m.Name]; m.ObjectType == 'S' && st != nil {
			delete(c.statements, m.Name)
			delete(server.known, st.Name)
			m.Name = st.Name
		}
	}
	server.Send(m)
	return nil
}

func (c *poolerClient) parse(m *pgproto3.Parse, server *pooled, own bool) {
	c.parses = append(c.parses, parse{m.Name, own})
	server.known[m.Name] = true
	server.Send(m)
}

// use sends a message with the server's name in place of the client's.
func (c *poolerClient) use(name *string, m pgproto3.FrontendMessage, server *pooled) error {
	st := c.statements[*name]
	if st == nil {
		c.Send(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "08P01", Message: "prepared statement did not exist"})
		return errors.Join(c.Flush(), net.ErrClosed)
	}
	if !server.known[st.Name] {
		c.parse(st, server, true)
	}
	*name = st.Name
	server.Send(m)
	return nil
}

// respond forwards what the server responds until it is ready, and returns the
// status of the transaction.
func (c *poolerClient) respond(server *pooled) (status byte, err error) {
	if err := server.Flush(); err != nil {
		return 0, err
	}
	for {
		m, err := server.Receive()
		if err != nil {
			return 0, err
		}
		switch m := m.(type) {
		case *pgproto3.ParseComplete:
			if c.renames {
				done := c.parses[0]
				c.parses = c.parses[1:]
				if done.own {
					continue
				}
			}
		case *pgproto3.ErrorResponse: // after which the server skips all up to Sync
			for _, skipped := range c.parses {
				delete(server.known, skipped.name)
			}
			c.parses = nil
		case *pgproto3.ReadyForQuery:
			c.Send(m)
			return m.TxStatus, nil
		}
		c.Send(m)
	}
}
