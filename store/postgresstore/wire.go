package postgresstore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Configure prepares the configuration of a pool for [New]; [Open] does so itself. It
// keeps what is set already, and sets a ConnectTimeout of 5 seconds, a ValidateConnect
// that uses only servers that accept writes, and what a synchronous standby needs: the
// pool never cancels a write that waits for a standby, and a write that an administrator
// has cancelled is an error.
//
// When a wait for a standby is cancelled, PostgreSQL commits on the primary alone. A later
// call would return the new value, although a failover can still undo the write. Without
// Configure, pgx cancels each write whose context ends.
func Configure(config *pgxpool.Config) {
	connect := config.ConnConfig
	if connect.ConnectTimeout == 0 {
		connect.ConnectTimeout = timeout
	}
	if connect.ValidateConnect == nil {
		connect.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	dial, wrap, report := connect.DialFunc, connect.AfterNetConnect, connect.OnNotice
	connect.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if network == nowhere {
			return nil, errors.New("a write is not cancelled")
		}
		return dial(ctx, network, address)
	}
	connect.AfterNetConnect = func(ctx context.Context, config *pgconn.Config, conn net.Conn) (net.Conn, error) {
		if wrap != nil {
			wrapped, err := wrap(ctx, config, conn)
			if err != nil {
				return conn, err // pgx closes it
			}
			conn = wrapped
		}
		return &wire{Conn: conn}, nil
	}
	connect.OnNotice = func(conn *pgconn.PgConn, notice *pgconn.Notice) {
		// The text is in the server's language, and the code is that of any warning.
		if w := wireOf(conn); w != nil && notice.Routine == "SyncRepWaitForLSN" {
			w.unconfirmed.Store(true)
		}
		if report != nil {
			report(conn, notice)
		}
	}
}

// A wire is the network connection to a server. While it carries a write, pgx cannot send
// a cancel request to the server's address: it dials none.
type wire struct {
	net.Conn
	writing     atomic.Bool
	unconfirmed atomic.Bool // the server has stopped waiting for a standby
}

const nowhere = "nowhere"

type nowhereAddr struct{}

func (nowhereAddr) Network() string { return nowhere }
func (nowhereAddr) String() string  { return nowhere }

func (w *wire) RemoteAddr() net.Addr {
	if w.writing.Load() {
		return nowhereAddr{}
	}
	return w.Conn.RemoteAddr()
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	return n, w.end(err)
}

func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	return n, w.end(err)
}

// end closes the connection of a write that is not sent or answered in time. pgx would
// wait for the server to do so.
func (w *wire) end(err error) error {
	if err != nil && w.writing.Load() {
		w.Conn.Close()
	}
	return err
}

// wireOf returns the wire below a connection, or nil if its pool is without [Configure].
func wireOf(conn *pgconn.PgConn) *wire { return below(conn.Conn()) }

func below(conn net.Conn) *wire {
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn()
	}
	w, _ := conn.(*wire)
	return w
}
