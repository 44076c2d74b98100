package conformance

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// raceRights: virtool#1039. Two processes serve requests and updates of a session while a
// third one changes the rights of its user. The rights change, by the hook as by Refresh, no
// update is lost, and no session that has ended is revived.
func raceRights(t *testing.T, stores [2]store.Store) {
	ctx := t.Context()
	var rights atomic.Value
	rights.Store(auth.Words("read admin"))
	ask := func(_ context.Context, id auth.Identity) (auth.Identity, error) {
		id.Scopes = rights.Load().(auth.Words)
		return id, nil
	}
	var m [2]*session.Manager
	for i := range m {
		var err error
		m[i], err = session.New(session.Config{Store: stores[i], Limits: auth.Limits{IdleTimeout: 30 * time.Second}, Refreshing: ask})
		if err != nil {
			t.Fatal(err)
		}
	}
	var c client
	if err := c.login(ctx, m[0], "rights"); err != nil {
		t.Fatal(err)
	}
	// awaits waits until a guard of each process sees the rights: a near cache hears of
	// a change a little later.
	awaits := func(want auth.Words) {
		t.Helper()
		for i := range m {
			for try := 0; ; try++ {
				id, err := c.authenticate(ctx, m[i])
				if err != nil {
					t.Fatal(err)
				}
				if id.Scopes == want {
					break
				}
				if try == 600 {
					t.Fatalf("process %d has %q, want %q", i, id.Scopes, want)
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
	}
	rights.Store(auth.Words("read"))
	awaits("read") // by the hook, when a use is recorded

	const each = 10
	var wg sync.WaitGroup
	for i := range m {
		wg.Go(func() {
			for range each {
				if err := c.increment(ctx, m[i]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	rights.Store(auth.Words("none"))
	if err := m[1].Refresh(ctx, "rights", ask); err != nil {
		t.Error(err)
	}
	wg.Wait()
	awaits("none")
	if n, err := c.count(ctx, m[0]); n != 2*each || err != nil {
		t.Errorf("%d of %d updates are left, %v", n, 2*each, err)
	}

	for i := range m {
		wg.Go(func() {
			for range each {
				m[i].Refresh(ctx, "rights", ask)
				c.authenticate(ctx, m[i])
			}
		})
	}
	if err := m[0].LogoutAll(ctx, "rights"); err != nil {
		t.Error(err)
	}
	wg.Wait()
	for i := range m {
		if _, err := m[i].Get(c.request(ctx, "GET")); err == nil {
			t.Errorf("process %d accepts a session that has ended", i)
		}
	}
}
