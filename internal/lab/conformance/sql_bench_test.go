package conformance

import (
	"encoding/binary"
	"strconv"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store"
)

// BenchmarkSQLStores measures the calls of a request: Get of each, and a swap
// of one whose last use is noted. The values have 200 bytes.
func BenchmarkSQLStores(b *testing.B) {
	for name, open := range map[string]func(b *testing.B) store.Store{
		"PostgreSQL": func(b *testing.B) store.Store { return openPostgres(b, servers.Postgres(b, "").URL) },
		"MariaDB":    func(b *testing.B) store.Store { return openMySQL(b, servers.MariaDB(b).URL) },
		"SQLite":     func(b *testing.B) store.Store { return openSQLite(b, sqliteFile(b)) },
	} {
		b.Run(name, func(b *testing.B) {
			s := open(b)
			b.Run("Get", func(b *testing.B) { benchmarkGet(b, s) })
			b.Run("swap", func(b *testing.B) { benchmarkSwap(b, s) })
		})
	}
	b.Run("PostgreSQL/floor", func(b *testing.B) {
		p := pool(b, servers.Postgres(b, "").URL) // with named prepared statements
		for b.Loop() {
			ask[int](b, p, `SELECT 1`)
		}
	})
}

func benchmarkGet(b *testing.B, s store.Store) {
	for i := range 100 {
		mustSwap(b, s, "get"+strconv.Itoa(i), nil, make([]byte, 200), time.Hour)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok, err := s.Get(b.Context(), "get"+strconv.Itoa(i%100)); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func benchmarkSwap(b *testing.B, s store.Store) {
	key := "swap" + strconv.FormatInt(time.Now().UnixNano(), 36)
	old := make([]byte, 200)
	mustSwap(b, s, key, nil, old, time.Hour)
	b.ReportAllocs()
	for i := uint64(1); b.Loop(); i++ {
		new := make([]byte, 200)
		binary.BigEndian.PutUint64(new, i)
		mustSwap(b, s, key, old, new, time.Hour)
		old = new
	}
}
