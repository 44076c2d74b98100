package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/sqlstore"
	"github.com/authlatch/auth/store/storetest"
)

// ASVS 5.0, 1.2.4, 14.2.7 and 15.4.2.
func TestMariaDB(t *testing.T) {
	server := servers.MariaDB(t)
	for rule, settings := range map[string]string{
		"changed rows counted":           "",
		"matched rows counted":           "?clientFoundRows=true",
		"parameters interpolated":        "?interpolateParams=true",
		"serializable":                   "?tx_isolation=%27SERIALIZABLE%27",
		"another time zone and sql_mode": "?time_zone=%27-11%3A30%27&sql_mode=ANSI",
	} {
		t.Run("keeps the contract, "+rule, func(t *testing.T) {
			url := newSchema(t, server.URL) + settings
			storetest.Run(t, func(t *testing.T) store.Store { return openMySQL(t, url) })
		})
	}
	for rule, check := range map[string]func(t *testing.T, url string){
		"sweeps may run at once":                                   mariadbSweep,
		"the schema is made once by many":                          mariadbMigration,
		"what cannot work is an error when opened":                 mariadbOpenErrors,
		"what other programs write is neither a value nor a panic": mariadbForeignValues,
		"a call ends with its deadline":                            mariadbDeadline,
		"a swap to the same again is a swap":                       mariadbSameAgain,
		"deadlocks are tried again":                                mariadbDeadlock,
	} {
		t.Run(rule, func(t *testing.T) { check(t, newSchema(t, server.URL)) })
	}
}

func openMySQL(t testing.TB, url string) *sqlstore.Store {
	t.Helper()
	db := database(t, "mysql", url)
	db.SetMaxOpenConns(50) // as the example of the module has it; the server has 151
	s, err := sqlstore.NewMySQL(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// newSchema makes a database and returns its url.
func newSchema(t testing.TB, server string) string {
	t.Helper()
	databases.Lock()
	defer databases.Unlock()
	databases.made++
	name := fmt.Sprint("test", databases.made)
	runSQL(t, database(t, "mysql", server), "CREATE DATABASE "+name)
	return strings.TrimSuffix(server, "auth") + name
}

func mariadbSweep(t *testing.T, url string) {
	s := openMySQL(t, url)
	db := database(t, "mysql", url)
	runSQL(t, db, "INSERT INTO auth_store (`key`, value, expires_at, sweep_at) "+
		"SELECT CONCAT('row', seq), X'01', UTC_TIMESTAMP() + INTERVAL seq % 2 HOUR, UTC_TIMESTAMP() FROM seq_1_to_2000")
	sweepsLeave(t, s, db, 1000)
}

func mariadbMigration(t *testing.T, url string) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := sqlstore.NewMySQL(t.Context(), database(t, "mysql", url))
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	wg.Wait()
	mustSwap(t, openMySQL(t, url), "k", nil, []byte("v"), time.Hour)
}

func mariadbOpenErrors(t *testing.T, url string) {
	admin := database(t, "mysql", url)
	refuses := func(rule, url string, prepare ...string) {
		t.Helper()
		runSQL(t, admin, prepare...)
		s, err := sqlstore.NewMySQL(t.Context(), database(t, "mysql", url))
		if err == nil || s != nil {
			t.Errorf("%s: no error", rule)
			return
		}
		t.Logf("%s: %v", rule, err)
		if strings.Contains(err.Error(), "correct-horse") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error has the password", rule)
		}
	}
	as := func(role string) string { return strings.Replace(url, "admin:correct-horse", role+":secret", 1) }
	name := url[strings.LastIndex(url, "/")+1:]
	runSQL(t, admin, `CREATE USER reader IDENTIFIED BY 'secret'`, `CREATE USER app IDENTIFIED BY 'secret'`,
		`GRANT SELECT ON `+name+`.* TO reader`, `GRANT SELECT, INSERT, UPDATE, DELETE ON `+name+`.* TO app`)

	refuses("no server", "admin:secret@tcp(127.0.0.1:1)/auth")
	refuses("wrong password", as("admin"))
	refuses("no such database", url+"x")
	refuses("no autocommit", url+"?autocommit=false")
	refuses("read uncommitted", url+"?tx_isolation=%27READ-UNCOMMITTED%27")
	refuses("no right to make the table", as("app"))

	openMySQL(t, url)
	refuses("no right to write", as("reader"))
	s := openMySQL(t, as("app")) // needs no right to make tables
	mustSwap(t, s, "k", nil, []byte("v"), time.Hour)
	refuses("read-only", url, `SET GLOBAL read_only = on`)
	for rule, err := range useAll(s) {
		if rule != "DeleteExpired" { // which finds nothing to do
			wantError(t, rule+" at a server that became read-only", err)
		}
	}
	runSQL(t, admin, `SET GLOBAL read_only = off`)
	wantValue(t, s, "k", "v")

	runSQL(t, admin, `RENAME TABLE auth_store TO away`)
	for rule, err := range useAll(s) {
		wantError(t, rule+" of a missing table", err)
	}
	refuses("another's table", url, `CREATE TABLE auth_store (name TEXT, value TEXT)`)
	for rule, err := range useAll(s) {
		wantError(t, rule+" of another's table", err)
	}
	refuses("a newer schema", url, `DROP TABLE auth_store`, `RENAME TABLE away TO auth_store`,
		`ALTER TABLE auth_store COMMENT = 'auth_store schema 2'`)
	wantValue(t, s, "k", "v")
}

func mariadbForeignValues(t *testing.T, url string) {
	s, db := openMySQL(t, url), database(t, "mysql", url)
	insert := "REPLACE INTO auth_store (`key`, value, expires_at, sweep_at) VALUES ('k', %s, '2200-01-01', '2200-01-01')"
	for _, value := range []string{`NULL`, `''`, `REPEAT('x', 65537)`} {
		_, err := db.Exec(fmt.Sprintf(insert, value))
		wantError(t, "a value that is none", err)
	}
	db.SetMaxOpenConns(1)
	runSQL(t, db, `SET check_constraint_checks = off`)
	for _, value := range []string{`''`, `REPEAT('x', 65537)`} {
		runSQL(t, db, fmt.Sprintf(insert, value))
		if got, ok, err := s.Get(t.Context(), "k"); err == nil || ok || got != nil {
			t.Errorf("%s: %v, %v", value, ok, err)
		}
	}
}

func mariadbDeadline(t *testing.T, url string) {
	s, db := openMySQL(t, url), database(t, "mysql", url)
	mustSwap(t, s, "k", nil, []byte("v"), time.Hour)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("UPDATE auth_store SET swaps = swaps + 1 WHERE `key` = 'k'"); err != nil {
		t.Fatal(err)
	}
	wantValue(t, s, "k", "v") // readers do not wait
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = s.CompareAndSwap(ctx, "k", []byte("v"), []byte("w"), time.Hour)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("behind a lock: %v", err)
	}
	err = s.Delete(context.Background(), "k")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("behind a lock, without a deadline: %v", err)
	}
}

// The clock of a connection stands still, so that a swap to the same bytes
// changes nothing in the columns that it writes.
func mariadbSameAgain(t *testing.T, url string) {
	for _, settings := range []string{"", "?clientFoundRows=true"} {
		db := database(t, "mysql", url+settings)
		db.SetMaxOpenConns(1)
		runSQL(t, db, `SET timestamp = 2000000000.5`)
		s, err := sqlstore.NewMySQL(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		key := "same" + settings
		mustSwap(t, s, key, nil, []byte("v"), time.Hour)
		mustSwap(t, s, key, []byte("v"), []byte("v"), time.Hour)
		if swapped, err := s.CompareAndSwap(t.Context(), key, nil, []byte("v"), time.Hour); swapped || err != nil {
			t.Errorf("creating what is there: %v, %v", swapped, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A sweep takes its rows in the order of their keys, and another program takes
// them the other way.
func mariadbDeadlock(t *testing.T, url string) {
	s, db := openMySQL(t, url), database(t, "mysql", url)
	for range 5 {
		runSQL(t, db, "REPLACE INTO auth_store (`key`, value, expires_at, sweep_at) VALUES "+
			"('a', 'v', '2000-01-01', '2000-01-01'), ('b', 'v', '2000-01-01', '2000-01-01')")
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		// It has done more work, so the sweep is the one to be undone.
		for range 5 {
			if _, err := tx.Exec("UPDATE auth_store SET swaps = swaps + 1 WHERE `key` = 'b'"); err != nil {
				t.Fatal(err)
			}
		}
		done := make(chan error, 1)
		go func() {
			n, err := s.DeleteExpired(context.Background())
			if n != 2 && err == nil {
				err = fmt.Errorf("removed %d rows of 2", n)
			}
			done <- err
		}()
		time.Sleep(50 * time.Millisecond)
		tx.Exec("UPDATE auth_store SET swaps = swaps + 1 WHERE `key` = 'a'")
		tx.Rollback()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	var name, status string
	var text string
	if err := db.QueryRow("SHOW ENGINE INNODB STATUS").Scan(&name, &status, &text); err != nil || !strings.Contains(text, "LATEST DETECTED DEADLOCK") {
		t.Errorf("there was no deadlock: %v", err)
	}
}
