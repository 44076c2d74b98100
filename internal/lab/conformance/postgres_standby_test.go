package conformance

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store/postgresstore"
)

// A standby may be behind, so what it does not know may exist, and what it
// knows may have ended. It answers with errors, until it is promoted.
func TestPostgresStandbyIsNotBelieved(t *testing.T) {
	server := servers.Postgres(t, "")
	lenient := pool(t, server.URL) // unlike Open's, it takes connections that are read-only
	s, err := postgresstore.New(t.Context(), lenient)
	if err != nil {
		t.Fatal(err)
	}
	mustSwap(t, s, "k", nil, []byte("v"), time.Hour)

	server.Stop()
	if err := os.WriteFile(filepath.Join(server.Dir, "data", "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	server.Start()
	waitForConnection(t, s)
	for _, key := range []string{"k", "absent"} {
		if value, ok, err := s.Get(t.Context(), key); err == nil || ok || value != nil {
			t.Errorf("Get from a standby: %q, %v, %v", value, ok, err)
		}
	}
	_, err = postgresstore.New(t.Context(), lenient)
	wantError(t, "a standby, when opened", err)
	_, err = postgresstore.Open(t.Context(), server.URL)
	wantError(t, "a standby, when opened by its url", err)

	ask[bool](t, lenient, `SELECT pg_promote()`)
	wantValue(t, s, "k", "v")
	mustSwap(t, s, "k", []byte("v"), []byte("w"), time.Hour)
}

// waitForConnection uses up the connections that a restart has broken.
func waitForConnection(t *testing.T, s *postgresstore.Store) {
	t.Helper()
	for range 8 {
		s.Get(context.Background(), "absent")
	}
}
