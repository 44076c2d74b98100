package conformance

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/postgresstore"
)

// TestPostgresWithASynchronousStandby has one pair of servers. The last rule is a failover.
func TestPostgresWithASynchronousStandby(t *testing.T) {
	r := startReplicated(t, "s1")
	t.Run("what hides such a write is an error when opened", func(t *testing.T) { hiddenWaits(t, r) })
	t.Run("a write that stops to wait is an error", func(t *testing.T) { cancelledWaits(t, r) })
	r.standbys[0].Start()
	r.waitReady(t)
	t.Run("a write that no standby has is not seen", func(t *testing.T) { unseenWrites(t, r) })
	t.Run("a former primary acknowledges nothing", func(t *testing.T) { formerPrimary(t, r) })
}

func within(t *testing.T, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return do(ctx)
}

// PostgreSQL reports a write that no standby has by a warning alone.
func hiddenWaits(t *testing.T, r *replicated) {
	_, err := postgresstore.Open(t.Context(), withSetting(r.url, "client_min_messages=error"))
	wantError(t, "a connection without warnings", err)
	_, err = postgresstore.New(t.Context(), pool(t, r.url))
	wantError(t, "a pool without Configure", err)
	config, err := pgxpool.ParseConfig(r.url)
	if err != nil {
		t.Fatal(err)
	}
	postgresstore.Configure(config)
	p, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := postgresstore.New(t.Context(), p); err != nil {
		t.Error(err)
	}
}

// PostgreSQL reports success, with a warning, when an administrator cancels a write that
// waits for a standby.
func cancelledWaits(t *testing.T, r *replicated) {
	s := openPostgres(t, r.url)
	mustSwap(t, s, "k", nil, []byte("v"), time.Hour)
	mustSwap(t, s, "gone", nil, []byte("v"), time.Hour)
	r.standbys[0].Kill()
	admin := pool(t, r.primary.URL)
	for rule, write := range map[string]func() error{
		"a swap":   func() error { return second(s.CompareAndSwap(t.Context(), "k", []byte("v"), []byte("w"), time.Hour)) },
		"a create": func() error { return second(s.CompareAndSwap(t.Context(), "new", nil, []byte("w"), time.Hour)) },
		"a delete": func() error { return s.Delete(t.Context(), "gone") },
	} {
		done := make(chan error, 1)
		go func() { done <- write() }()
		waitFor(t, func() bool {
			return ask[bool](t, admin, `
SELECT coalesce(bool_or(pg_cancel_backend(pid)), false) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`) || len(done) > 0
		})
		wantError(t, rule+" that is cancelled while it waits", <-done)
	}
}

// If a process saw a write that no standby has, a repeated logout would find a session
// that has ended and be acknowledged, without a write of its own. A failover would undo it.
func unseenWrites(t *testing.T, r *replicated) {
	here, there := openPostgres(t, r.url), openPostgres(t, r.url)
	m, standby := newManager(t, here), r.standbys[0]
	var c client
	if err := c.login(t.Context(), m, "alice"); err != nil {
		t.Fatal(err)
	}
	mustSwap(t, here, "deleted", nil, []byte("v"), time.Hour)
	mustSwap(t, here, "swapped", nil, []byte("v"), time.Hour)
	standby.Kill()
	wantError(t, "a delete", within(t, 300*time.Millisecond, func(ctx context.Context) error { return here.Delete(ctx, "deleted") }))
	wantError(t, "a swap", within(t, 300*time.Millisecond, func(ctx context.Context) error {
		return second(there.CompareAndSwap(ctx, "swapped", []byte("v"), []byte("w"), time.Hour))
	}))
	for range 3 {
		wantError(t, "a logout that no standby has", c.logout(t.Context(), m))
		for _, s := range []store.Store{here, there} {
			wantValue(t, s, "deleted", "v")
			wantValue(t, s, "swapped", "v")
			if _, err := c.authenticate(t.Context(), newManager(t, s)); err != nil {
				t.Errorf("a logout is seen that no standby has: %v", err)
			}
		}
	}
	waiting := ask[int](t, pool(t, r.primary.URL), `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)
	if waiting > 8 {
		t.Errorf("%d connections wait on the server", waiting)
	}
	standby.Start()
	waitFor(t, func() bool { return c.logout(t.Context(), m) == nil })
	r.primary.Kill()
	r.promote(t)
	if _, err := c.authenticate(t.Context(), newManager(t, openPostgres(t, r.url))); !over(err) {
		t.Errorf("after logout and failover: %v", err)
	}
}

// The former primary starts again, and a client reaches it alone.
func formerPrimary(t *testing.T, r *replicated) {
	promoted := openPostgres(t, r.url)
	mustSwap(t, promoted, "k2", nil, []byte("v"), time.Hour)
	r.primary.Start()
	former := openPostgres(t, r.former)
	for rule, write := range map[string]func(context.Context) error{
		"a create": func(ctx context.Context) error {
			return second(former.CompareAndSwap(ctx, "k2", nil, []byte("w"), time.Hour))
		},
		"a swap": func(ctx context.Context) error {
			return second(former.CompareAndSwap(ctx, "swapped", []byte("w"), []byte("x"), time.Hour))
		},
		"a login": func(ctx context.Context) error { return new(client).login(ctx, newManager(t, former), "alice") },
	} {
		wantError(t, rule, within(t, 500*time.Millisecond, write))
	}
	wantValue(t, promoted, "k2", "v")
}
