package postgresstore

import (
	"context"
	"crypto/tls"
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
	conn.SetDeadline(time.Now())
	conn.Read(make([]byte, 1))
	if _, err := a.Write([]byte("x")); err == nil {
		t.Error("the connection of a write that is not answered stays open")
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
