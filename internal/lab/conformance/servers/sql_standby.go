package servers

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Replicated are the settings of a primary that acknowledges a write when a
// number of the standbys, such as 1 of "s1, s2", have it on disk.
func Replicated(number int, standbys ...string) []string {
	return []string{
		fmt.Sprintf("synchronous_standby_names=ANY %d (%s)", number, strings.Join(standbys, ", ")),
		"wal_keep_size=256MB", // a standby that was away finds what it has missed
	}
}

// PostgresStandby starts a standby of a PostgreSQL primary, with the name that
// synchronous_standby_names has for it. It reaches the primary at addr, which is
// the primary's or that of a proxy.
func PostgresStandby(t testing.TB, primary *SQL, addr, name string) *SQL {
	t.Helper()
	config, err := pgx.ParseConfig(primary.URL)
	if err != nil {
		t.Fatal(err)
	}
	dir, port := Folder(t, primary.account), FreePort(t)
	bin, data := postgresPrograms(t), filepath.Join(dir, "data")
	run(t, primary.account, dir, filepath.Join(bin, "pg_basebackup"), "--pgdata="+data, "--checkpoint=fast", "--no-sync", "--write-recovery-conf",
		fmt.Sprintf("--dbname=postgres://%s:%s@%s/?application_name=%s&connect_timeout=2", config.User, config.Password, addr, name))
	command := []string{primary.command[0], "-D", data, "-p", fmt.Sprint(port)}
	for _, setting := range primary.command[len(command):] {
		if !strings.HasPrefix(setting, "synchronous_standby_names=") {
			command = append(command, setting)
		} else {
			command = append(command, "wal_retrieve_retry_interval=100ms") // it returns soon
		}
	}
	s := &SQL{
		URL: fmt.Sprintf("postgres://%s:%s@%s/postgres", config.User, config.Password, loopback(port)),
		Dir: dir, t: t, command: command, account: primary.account, quit: primary.quit, ping: pingPostgres,
	}
	t.Cleanup(s.Stop)
	s.Start()
	return s
}
