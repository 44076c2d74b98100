package conformance

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authlatch/auth/store/postgresstore"
)

// A swap of an indexed column, or on a full page, would write to both indexes.
func postgresSwapIsHOT(t *testing.T, url string) {
	const records, swaps = 30, 15
	s, p := openPostgres(t, url), pool(t, url)
	value := func(key, n int) []byte { return fmt.Appendf(nil, "%d %s %d", key, strings.Repeat("x", 300), n) }
	for key := range records {
		mustSwap(t, s, fmt.Sprint(key), nil, value(key, 0), time.Hour)
		for n := range swaps {
			mustSwap(t, s, fmt.Sprint(key), value(key, n), value(key, n+1), time.Hour+time.Duration(n)*time.Minute)
		}
	}
	s.Close() // the server counts when a connection ends
	var all, hot int
	for start := time.Now(); all < records*swaps && time.Since(start) < hang; time.Sleep(20 * time.Millisecond) {
		err := p.QueryRow(t.Context(), `
SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'auth_store'`).Scan(&all, &hot)
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d updates are heap-only", hot, all)
	if all < records*swaps || hot*100 < all*95 {
		t.Errorf("%d of %d updates are heap-only", hot, all)
	}
}

func postgresReadIsIndexed(t *testing.T, url string) {
	s, p := openPostgres(t, url), pool(t, url)
	mustSwap(t, s, "k", nil, []byte("value"), time.Hour)
	execute(t, url, `
INSERT INTO auth_store SELECT 'row ' || n, 'value', now() + interval '1 hour', now() + interval '1 hour'
FROM generate_series(1, 20000) AS n`, `ANALYZE auth_store`)
	rows, err := p.Query(t.Context(), `
EXPLAIN SELECT (SELECT value FROM auth_store WHERE key = $1 AND expires_at > clock_timestamp()), pg_is_in_recovery()`, "k")
	if err != nil {
		t.Fatal(err)
	}
	var plan []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, line)
	}
	if text := strings.Join(plan, "\n"); !strings.Contains(text, "Index Scan using auth_store_pkey") || strings.Contains(text, "Seq Scan") {
		t.Errorf("the plan is\n%s", text)
	}
}

// An authenticated request is one look into one index, and no write.
func postgresRequestIsOneRead(t *testing.T, url string) {
	const requests = 50
	p := pool(t, url)
	openPostgres(t, url).Close()
	execute(t, url, `
INSERT INTO auth_store SELECT 'row ' || n, 'value', now() + interval '1 hour', now() + interval '1 hour'
FROM generate_series(1, 20000) AS n`, `ANALYZE auth_store`)
	c := &client{}
	login := openPostgres(t, url)
	if err := c.login(t.Context(), newManager(t, login), "alice"); err != nil {
		t.Fatal(err)
	}
	login.Close()
	before := settled(t, p)
	s := openPostgres(t, url)
	m := newManager(t, s)
	for range requests {
		if id, err := c.authenticate(t.Context(), m); err != nil || id.Subject != "alice" {
			t.Fatal(id, err)
		}
	}
	s.Close()
	after := settled(t, p)
	for i, want := range [4]int{requests, 0, 0, 0} {
		if got := after[i] - before[i]; got != want {
			t.Errorf("%s: %d, want %d", [4]string{"looks into an index", "scans of the table", "inserts", "updates"}[i], got, want)
		}
	}
}

// settled returns what the server has counted on the table, once that stands
// still.
func settled(t *testing.T, p *pgxpool.Pool) (counts [4]int) {
	t.Helper()
	for still := 0; still < 10; time.Sleep(100 * time.Millisecond) {
		last := counts
		err := p.QueryRow(t.Context(), `
SELECT idx_scan, seq_scan, n_tup_ins, n_tup_upd FROM pg_stat_user_tables WHERE relname = 'auth_store'`).
			Scan(&counts[0], &counts[1], &counts[2], &counts[3])
		if err != nil {
			t.Fatal(err)
		}
		if still++; counts != last {
			still = 0
		}
	}
	return counts
}

func postgresMigration(t *testing.T, url string) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := postgresstore.Open(t.Context(), url+"?pool_max_conns=2")
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	wg.Wait()
	if rows := ask[int](t, pool(t, url), `SELECT count(*) FROM auth_store_version`); rows != 1 {
		t.Errorf("the schema was made %d times", rows)
	}
}
