package conformance

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver that is called pgx

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/sqlstore"
	"github.com/authlatch/auth/store/storetest"
)

// A locking server is one in which another program can hold the row of a key.
type locking struct {
	open  func(t *testing.T) store.Store
	db    *sql.DB
	hold  string // a statement, of the key
	lives string // asks for the life that is left of the only record, in seconds
}

// block holds the row of a key until release, which changes nothing.
func (l *locking) block(t *testing.T, key string) (release func()) {
	t.Helper()
	tx, err := l.db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		t.Fatal(err)
	}
	var value []byte
	if err := tx.QueryRow(l.hold, key).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return func() { tx.Rollback() }
}

func TestSQLStoresBesideATransactionThatHoldsARow(t *testing.T) {
	maria := newSchema(t, servers.MariaDB(t).URL)
	postgres := newDatabase(t, servers.Postgres(t, "").URL)
	for name, server := range map[string]*locking{
		"MariaDB": {func(t *testing.T) store.Store { return openMySQL(t, maria) }, database(t, "mysql", maria),
			"SELECT value FROM auth_store WHERE `key` = ? FOR UPDATE",
			`SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), expires_at) FROM auth_store`},
		"PostgreSQL": {func(t *testing.T) store.Store { return openPostgres(t, postgres) }, database(t, "pgx", postgres),
			`SELECT value FROM auth_store WHERE key = $1 FOR UPDATE`,
			`SELECT extract(epoch FROM expires_at - now())::bigint FROM auth_store`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("a life of a year is kept whole", server.keepsLongLives)
			t.Run("a swap that waited revives nothing", server.revivesNothing)
			t.Run("of two swaps that waited one happens", server.oneOfTwo)
			t.Run("no call hangs", func(t *testing.T) { storetest.RunBlocked(t, server.open, server.block) })
		})
	}
}

// What the column holds is the only way to see the end of a life of years.
func (l *locking) keepsLongLives(t *testing.T) {
	const year = 365 * 24 * time.Hour
	s := l.open(t)
	mustSwap(t, s, "k", nil, []byte("v"), year)
	var seconds int64
	if err := l.db.QueryRow(l.lives).Scan(&seconds); err != nil {
		t.Fatal(err)
	}
	if left := time.Duration(seconds) * time.Second; left < year-time.Hour || left > year+time.Hour {
		t.Errorf("a ttl of a year is kept as %v", left)
	}
}

// A record expires while a swap waits for its row, and is read as absent. The
// swap must not bring it back.
func (l *locking) revivesNothing(t *testing.T) {
	s := l.open(t)
	for _, key := range []string{"one", "two", "three"} {
		const ttl = time.Second
		mustSwap(t, s, key, nil, []byte("v"), ttl)
		release := l.block(t, key)
		waiting := l.swapLater(s, key, "w")
		time.Sleep(2 * ttl)
		wantValue(t, s, key, "")
		release()
		if got := <-waiting; got.swapped || got.err != nil {
			t.Errorf("%s: %v, %v", key, got.swapped, got.err)
		}
		wantValue(t, s, key, "")
	}
}

type swapOutcome struct {
	swapped bool
	err     error
}

// swapLater makes a swap of "v" that waits for a row.
func (l *locking) swapLater(s store.Store, key, new string) <-chan swapOutcome {
	done := make(chan swapOutcome, 1)
	go func() {
		swapped, err := s.CompareAndSwap(context.Background(), key, []byte("v"), []byte(new), time.Hour)
		done <- swapOutcome{swapped, err}
	}()
	return done
}

func (l *locking) oneOfTwo(t *testing.T) {
	s := l.open(t)
	mustSwap(t, s, "two-swaps", nil, []byte("v"), time.Hour)
	release := l.block(t, "two-swaps")
	x, y := l.swapLater(s, "two-swaps", "x"), l.swapLater(s, "two-swaps", "y")
	time.Sleep(100 * time.Millisecond)
	release()
	one, other := <-x, <-y
	if one.swapped == other.swapped || one.err != nil || other.err != nil {
		t.Errorf("%v, %v", one, other)
	}
}

// Between two character sets some bytes are characters that become others, or
// none.
func TestACharacterSetThatChangesBytesIsAnErrorWhenOpened(t *testing.T) {
	server := servers.MariaDB(t)
	for settings, good := range map[string]bool{
		"charset=utf8mb4":                                 true,
		"charset=latin1":                                  true,
		"charset=gbk":                                     true,
		"charset=binary":                                  true,
		"collation=latin1_swedish_ci":                     true,
		"character_set_client=latin1":                     false,
		"character_set_connection=latin1":                 false,
		"collation_connection=latin1_bin":                 false,
		"charset=latin1&character_set_client=utf8mb4":     false,
		"charset=latin1&character_set_connection=utf8mb4": false,
	} {
		for _, more := range []string{"", "&interpolateParams=true"} {
			db := database(t, "mysql", newSchema(t, server.URL)+"?"+settings+more)
			s, err := sqlstore.NewMySQL(t.Context(), db)
			if (err == nil) != good || err != nil && !strings.Contains(err.Error(), "character set") {
				t.Errorf("%s: %v", settings+more, err)
			}
			if err == nil {
				readsEveryByte(t, s)
				s.Close()
			}
		}
	}
}

func readsEveryByte(t *testing.T, s store.Store) {
	t.Helper()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	mustSwap(t, s, "every", nil, every, time.Minute)
	wantValue(t, s, "every", string(every))
}
