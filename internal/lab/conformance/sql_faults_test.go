package conformance

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store"
)

// A faulty server is one to which something happens under traffic.
type faulty struct {
	server *servers.SQL
	open   func(t testing.TB) store.Store
	cut    func(t *testing.T) // one of the connections
}

// TestSQLStoresSurviveFaults prints a table: in none of its rows a logout is
// undone, an update lost, or a user logged in or out by mistake.
func TestSQLStoresSurviveFaults(t *testing.T) {
	var table []string
	row := func(t *testing.T, title string, f *traffic) {
		got := f.recover()
		table = append(table, fmt.Sprintf("%-32s %8d %8d %9v %7d %6d %9d %10d %9v", title, got.answered, got.refused,
			got.slowest.Round(time.Millisecond), got.undone, got.lost, got.wronglyIn, got.wronglyOut, got.recovery.Round(time.Millisecond)))
		if got.undone+got.lost+got.wronglyIn+got.wronglyOut != 0 || got.slowest > slowestAllowed || got.answered == 0 {
			t.Error(table[len(table)-1])
		}
		if got.refused == 0 {
			t.Error("no client noticed the fault")
		}
	}
	defer func() {
		t.Logf("%-32s %8s %8s %9s %7s %6s %9s %10s %9s", "fault", "answered", "refused", "slowest", "undone", "lost", "wrong in", "wrong out", "recovery")
		for _, line := range table {
			t.Log(line)
		}
	}()
	for name, start := range map[string]func(*testing.T) *faulty{"PostgreSQL": faultyPostgres, "MariaDB": faultyMariaDB} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			for fault, happens := range map[string]func(*testing.T, *faulty){
				"kill -9 and restart":      killAndRestart,
				"paused beyond all bounds": pauseAndResume,
				"connections cut":          cutConnections,
			} {
				t.Run(fault, func(t *testing.T) {
					f := startTraffic(t, s.open(t), s.open(t))
					time.Sleep(300 * time.Millisecond)
					happens(t, s)
					row(t, name+": "+fault, f)
				})
			}
		})
	}
	t.Run("PostgreSQL: full disk", func(t *testing.T) { row(t, "PostgreSQL: full disk", fillPostgres(t)) })
	t.Run("SQLite: full disk", func(t *testing.T) { row(t, "SQLite: full disk", fillSQLite(t)) })
}

func killAndRestart(t *testing.T, s *faulty) {
	s.server.Kill()
	time.Sleep(300 * time.Millisecond)
	s.server.Start()
}

func pauseAndResume(t *testing.T, s *faulty) {
	s.server.Pause()
	time.Sleep(6500 * time.Millisecond)
	s.server.Resume()
}

func cutConnections(t *testing.T, s *faulty) {
	for range 100 {
		s.cut(t)
		time.Sleep(10 * time.Millisecond)
	}
}

func faultyPostgres(t *testing.T) *faulty {
	server := servers.Postgres(t, "")
	url := newDatabase(t, server.URL)
	admin := pool(t, server.URL)
	return &faulty{server,
		func(t testing.TB) store.Store { return openPostgres(t, url) },
		func(t *testing.T) {
			_, err := admin.Exec(t.Context(), `
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname <> current_database() ORDER BY random() LIMIT 1`)
			if err != nil {
				t.Log(err)
			}
		}}
}

func faultyMariaDB(t *testing.T) *faulty {
	mysql.SetLogger(&mysql.NopLogger{}) // it logs each broken connection
	server := servers.MariaDB(t)
	url := newSchema(t, server.URL)
	admin := database(t, "mysql", server.URL)
	return &faulty{server,
		func(t testing.TB) store.Store { return openMySQL(t, url) },
		func(t *testing.T) { killOne(t, admin) }}
}

func killOne(t *testing.T, db *sql.DB) {
	var id int
	err := db.QueryRow(`
SELECT id FROM information_schema.processlist WHERE db LIKE 'test%' AND id <> CONNECTION_ID() ORDER BY RAND() LIMIT 1`).Scan(&id)
	if err == nil {
		_, err = db.Exec(fmt.Sprint("KILL ", id))
	}
	if err != nil {
		t.Log(err) // it has gone by itself
	}
}

// fillPostgres has a server on a small disk. What cannot write its log ends
// itself, and its operator starts it again.
func fillPostgres(t *testing.T) *traffic {
	disk := servers.NewDisk(t, "120")
	server := servers.Postgres(t, disk.Dir)
	url := newDatabase(t, server.URL)
	f := startTraffic(t, openPostgres(t, url), openPostgres(t, url))
	time.Sleep(300 * time.Millisecond)
	disk.Fill()
	time.Sleep(3 * time.Second)
	t.Logf("on a full disk the server runs: %v", server.Running())
	disk.Free()
	if !server.Running() {
		server.Start()
	}
	return f
}

func fillSQLite(t *testing.T) *traffic {
	disk := servers.NewDisk(t, "24")
	file := "file:" + disk.Dir + "/store.db" + sqliteSettings
	f := startTraffic(t, openSQLite(t, file), openSQLite(t, file))
	time.Sleep(300 * time.Millisecond)
	disk.Fill()
	time.Sleep(2 * time.Second)
	disk.Free()
	return f
}
