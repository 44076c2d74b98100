package conformance

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

func postgresSweep(t *testing.T, url string) {
	s, p := openPostgres(t, url), pool(t, url)
	execute(t, url, `
INSERT INTO auth_store SELECT 'row' || n, 'value', now(), now() FROM generate_series(1, 1199) AS n`)
	mustSwap(t, s, "ends", nil, []byte("v"), time.Millisecond)
	mustSwap(t, s, "longer", nil, []byte("one"), 300*time.Millisecond)
	mustSwap(t, s, "shorter", nil, []byte("one"), time.Hour)
	if ok, err := s.CompareAndSwap(t.Context(), "longer", []byte("one"), []byte("two"), time.Hour); !ok || err != nil {
		t.Skip("too slow to swap within 300 ms")
	}
	mustSwap(t, s, "shorter", []byte("one"), []byte("two"), time.Millisecond)
	time.Sleep(350 * time.Millisecond)
	if n, err := s.DeleteExpired(t.Context()); n != 1200 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	wantValue(t, s, "longer", "two")
	wantValue(t, s, "shorter", "")
	if n := ask[int](t, p, `SELECT count(*) FROM auth_store WHERE sweep_at <= now()`); n != 0 {
		t.Errorf("%d rows are due again", n)
	}
	if n, err := s.DeleteExpired(t.Context()); n != 0 || err != nil {
		t.Errorf("removed %d more, %v", n, err)
	}
}

// Several instances sweep while others create, swap and read.
func postgresSweepsAtOnce(t *testing.T, url string) {
	const sweepers, writers, each = 4, 4, 80
	s, p := openPostgres(t, url), pool(t, url)
	mustSwap(t, s, "lives", nil, []byte("v"), time.Hour)
	execute(t, url, `
INSERT INTO auth_store SELECT 'row' || n, 'value', now() + n % 2 * interval '1 hour', now()
FROM generate_series(1, 20000) AS n`)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var removed int64
	for range sweepers {
		sweeper := openPostgres(t, url)
		wg.Go(func() {
			n, err := sweeper.DeleteExpired(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			removed += n
		})
	}
	for i := range writers {
		wg.Go(func() {
			for n := range each {
				// Odd rows live, and are due: the sweepers hold some of them.
				key := fmt.Sprint("row", 1+2*(i*each+n))
				if swapped, err := s.CompareAndSwap(t.Context(), key, []byte("value"), []byte("mine"), time.Hour); !swapped || err != nil {
					t.Errorf("%v, %v", swapped, err)
				}
				wantValue(t, s, key, "mine")
				wantValue(t, s, "lives", "v")
			}
		})
	}
	wg.Wait()
	if n, err := s.DeleteExpired(t.Context()); err != nil {
		t.Error(err)
	} else if removed += n; removed != 10000 {
		t.Errorf("removed %d of 10000", removed)
	}
	if n := ask[int](t, p, `SELECT count(*) FROM auth_store`); n != 10001 {
		t.Errorf("%d rows are left of 10001", n)
	}
}
