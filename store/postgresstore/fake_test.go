package postgresstore

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A fake speaks the protocol of a server, or of a pooler, that has the value
// "v" under each key.
type fake struct {
	listener net.Listener
	pooled   bool // the process is another than the connection was told
	renames  bool // the process has other names than the client's
	empty    bool // it has no value

	// fault returns an error for an event, or nil. FATAL ends the connection.
	fault func(event string) *pgproto3.ErrorResponse

	mu       sync.Mutex
	events   []string // such as "parse NAME", "bind NAME", "run"
	sessions sync.WaitGroup
}

const fakeProcess = 7

// store starts the fake and returns a Store on it. New would look for a schema.
func (f *fake) store(t *testing.T, settings string) *Store {
	t.Helper()
	var err error
	if f.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	f.sessions.Go(func() {
		for {
			conn, err := f.listener.Accept()
			if err != nil {
				return
			}
			f.sessions.Go(func() { f.serve(conn) })
		}
	})
	pool, err := pgxpool.New(t.Context(), fmt.Sprintf("postgres://app@%s/app?sslmode=disable&pool_max_conns=1%s", f.listener.Addr(), settings))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.listener.Close()
		pool.Close()
		f.sessions.Wait()
	})
	return newStore(pool)
}

func (f *fake) serve(conn net.Conn) {
	defer conn.Close()
	b := pgproto3.NewBackend(conn, conn)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.BackendKeyData{ProcessID: fakeProcess, SecretKey: []byte("1234")})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	s := &fakeSession{fake: f, Backend: b, statements: map[string]string{}}
	for b.Flush() == nil {
		m, err := b.Receive()
		if err != nil || !s.handle(m) {
			b.Flush()
			return
		}
	}
}

type fakeSession struct {
	*fake
	*pgproto3.Backend
	statements map[string]string // SQL by name
	bound      string            // SQL
	failed     bool              // until the next Sync
}

// handle returns false to end the connection.
func (s *fakeSession) handle(m pgproto3.FrontendMessage) bool {
	switch m := m.(type) {
	case *pgproto3.Sync:
		s.failed = false
		s.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		return true
	case *pgproto3.Query: // the pool's ping
		s.Send(&pgproto3.EmptyQueryResponse{})
		s.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		return true
	case *pgproto3.Terminate:
		return false
	case *pgproto3.Parse:
		s.statements[m.Name] = m.Query
		return s.answer("parse "+m.Name, &pgproto3.ParseComplete{})
	case *pgproto3.Bind:
		s.bound = s.statements[m.PreparedStatement]
		return s.answer("bind "+m.PreparedStatement, &pgproto3.BindComplete{})
	case *pgproto3.Describe:
		return s.describe(m)
	case *pgproto3.Execute:
		return s.execute()
	case *pgproto3.Close:
		return s.answer("close "+m.Name, &pgproto3.CloseComplete{})
	}
	return false
}

// answer responds to a message, unless one before it has failed.
func (s *fakeSession) answer(event string, responses ...pgproto3.BackendMessage) bool {
	if s.failed {
		return true
	}
	s.mu.Lock()
	s.events = append(s.events, event)
	s.mu.Unlock()
	if s.fault != nil {
		if refusal := s.fault(event); refusal != nil {
			s.failed = true
			s.Send(refusal)
			return refusal.Severity != "FATAL"
		}
	}
	for _, response := range responses {
		s.Send(response)
	}
	return true
}

// since returns the events since the last call, without descriptions.
func (f *fake) since() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	events := slices.DeleteFunc(f.events, func(event string) bool { return event == "describe" })
	f.events = nil
	return events
}

func (s *fakeSession) describe(m *pgproto3.Describe) bool {
	sql := s.bound
	var responses []pgproto3.BackendMessage
	if m.ObjectType == 'S' {
		sql = s.statements[m.Name]
		responses = append(responses, &pgproto3.ParameterDescription{ParameterOIDs: []uint32{25}})
	}
	if sql == getSQL || sql == presentSQL || sql == probeSQL {
		fields := []pgproto3.FieldDescription{{Name: []byte("a"), DataTypeOID: 17}, {Name: []byte("b"), DataTypeOID: 16}}
		return s.answer("describe", append(responses, &pgproto3.RowDescription{Fields: fields})...)
	}
	return s.answer("describe", append(responses, &pgproto3.NoData{})...)
}

func (s *fakeSession) execute() bool {
	done := &pgproto3.CommandComplete{CommandTag: []byte("UPDATE 1")}
	switch s.bound {
	case probeSQL:
		process := uint32(fakeProcess)
		if s.pooled {
			process++
		}
		known := []byte{1}
		if s.renames {
			known = []byte{0}
		}
		row := [][]byte{binary.BigEndian.AppendUint32(nil, process), known}
		return s.answer("probe", &pgproto3.DataRow{Values: row}, done)
	case getSQL, presentSQL:
		value := []byte("v")
		if s.empty {
			value = nil
		}
		if s.empty && s.bound == presentSQL {
			return s.answer("run", done)
		}
		return s.answer("run", &pgproto3.DataRow{Values: [][]byte{value, {0}}}, done)
	}
	return s.answer("run", done)
}
