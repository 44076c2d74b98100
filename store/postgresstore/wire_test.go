package postgresstore

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

func configured(t *testing.T, set func(*pgxpool.Config)) *pgxpool.Config {
	t.Helper()
	config, err := pgxpool.ParseConfig("postgres://app@127.0.0.1:1/app")
	if err != nil {
		t.Fatal(err)
	}
	set(config)
	Configure(config)
	return config
}

func TestNoCancelRequestLeavesWhileAConnectionWrites(t *testing.T) {
	dialed := 0
	dial := func(context.Context, string, string) (net.Conn, error) { dialed++; return nil, net.ErrClosed }
	config := configured(t, func(c *pgxpool.Config) { c.ConnConfig.DialFunc = dial })
	a, b := net.Pipe()
	defer b.Close()
	conn, err := config.ConnConfig.AfterNetConnect(t.Context(), &config.ConnConfig.Config, a)
	if err != nil {
		t.Fatal(err)
	}
	cancelRequest := func() {
		addr := conn.RemoteAddr()
		config.ConnConfig.DialFunc(t.Context(), addr.Network(), addr.String())
	}
	w := below(tls.Client(conn, &tls.Config{}))
	if w == nil || w != below(conn) {
		t.Fatal("the wire is not found below TLS")
	}
	if cancelRequest(); dialed != 1 {
		t.Error("a read cannot be cancelled")
	}
	w.writing.Store(true)
	if cancelRequest(); dialed != 1 {
		t.Error("a write is cancelled")
	}
}

func TestTheConnectionOfAWriteThatIsLateIsClosed(t *testing.T) {
	for rule, late := range map[string]func(net.Conn){
		"not answered": func(c net.Conn) { c.Read(make([]byte, 1)) },
		"not sent":     func(c net.Conn) { c.Write([]byte("x")) },
	} {
		a, b := net.Pipe()
		defer b.Close()
		w := &wire{Conn: a}
		w.writing.Store(true)
		w.SetDeadline(time.Now())
		late(w)
		if err := a.SetDeadline(time.Time{}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: the connection is open: %v", rule, err)
		}
	}
}

func TestConfigureKeepsWhatIsSet(t *testing.T) {
	wrapped, validated := false, false
	config := configured(t, func(c *pgxpool.Config) {
		c.ConnConfig.ConnectTimeout = time.Minute
		c.ConnConfig.ValidateConnect = func(context.Context, *pgconn.PgConn) error { validated = true; return nil }
		c.ConnConfig.AfterNetConnect = func(_ context.Context, _ *pgconn.Config, conn net.Conn) (net.Conn, error) {
			wrapped = true
			return conn, nil
		}
	}).ConnConfig
	config.AfterNetConnect(t.Context(), &config.Config, nil)
	config.ValidateConnect(t.Context(), nil)
	if !wrapped || !validated || config.ConnectTimeout != time.Minute {
		t.Error(wrapped, validated, config.ConnectTimeout)
	}
}

// pgx closes the connection that comes with the error.
func TestAConnectionThatCannotBeWrappedIsClosed(t *testing.T) {
	refused := errors.New("refused")
	config := configured(t, func(c *pgxpool.Config) {
		c.ConnConfig.AfterNetConnect = func(context.Context, *pgconn.Config, net.Conn) (net.Conn, error) { return nil, refused }
		c.ConnConfig.DialFunc = func(context.Context, string, string) (net.Conn, error) {
			a, b := net.Pipe()
			t.Cleanup(func() { b.Close() })
			return a, nil
		}
	})
	if _, err := pgconn.ConnectConfig(t.Context(), &config.ConnConfig.Config); !errors.Is(err, refused) {
		t.Error(err)
	}
}
