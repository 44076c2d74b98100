package postgresstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authlatch/auth/store/postgresstore"
)

// internal/lab/conformance tests the rules of the contract with a real server.
// These tests need no server.

func TestOpenKeepsThePasswordToItself(t *testing.T) {
	for _, url := range []string{
		"postgres://app:hunter2@127.0.0.1:1/app",
		"postgres://app:hunter2@127.0.0.1:port/app",
		"postgres://app:hunter2@127.0.0.1:1/app?sslmode=maybe",
		"postgres://app:hunter2@127.0.0.1:1/app?pool_max_conns=none",
		"host=127.0.0.1 port=1 password=hunter2 pool_max_conns=x",
		"password=hunter2 host='",
	} {
		s, err := postgresstore.Open(t.Context(), url)
		if err == nil || s != nil {
			t.Errorf("%s: %v", url, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error contains the password: %v", err)
		}
	}
}

func TestNilPoolIsAnError(t *testing.T) {
	if s, err := postgresstore.New(t.Context(), nil); err == nil || s != nil {
		t.Errorf("%v, %v", s, err)
	}
}

// A server that accepts connections and never responds.
func TestOpenEndsWithItsContext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	s, err := postgresstore.Open(ctx, fmt.Sprintf("postgres://app@%s/app?sslmode=disable", silent.Addr()))
	if !errors.Is(err, context.DeadlineExceeded) || s != nil {
		t.Errorf("%v, %v", s, err)
	}
}

// Open a store at startup, and delete expired rows once a minute.
func Example() {
	ctx := context.Background()
	s, err := postgresstore.Open(ctx, "postgres://app:secret@db.example/app")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	// Use s as the Store of a configuration, such as session.Config{Store: s}.

	sweep := time.NewTicker(time.Minute)
	defer sweep.Stop()
	for range sweep.C {
		if _, err := s.DeleteExpired(ctx); err != nil {
			fmt.Println(err)
		}
	}
}

// A Store on the pool of the application.
func ExampleNew() {
	ctx := context.Background()
	config, err := pgxpool.ParseConfig("postgres://app:secret@db1.example,db2.example/app?target_session_attrs=read-write")
	if err != nil {
		fmt.Println(err)
		return
	}
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()

	s, err := postgresstore.New(ctx, pool)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close() // leaves the pool open
}
