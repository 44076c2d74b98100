package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

const password = "correct-horse"

// Postgres starts a PostgreSQL server in dir, or in a folder of its own if dir
// is empty, with settings such as "synchronous_commit=off".
func Postgres(t testing.TB, dir string, settings ...string) *SQL {
	t.Helper()
	bin := postgresPrograms(t)
	account := accountOf(t, "postgres")
	if dir == "" {
		dir = Folder(t, account)
	}
	own(t, dir, account)
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o644); err != nil {
		t.Fatal(err)
	}
	data, port := filepath.Join(dir, "data"), FreePort(t)
	run(t, account, dir, filepath.Join(bin, "initdb"), "--pgdata="+data, "--username=admin", "--auth=scram-sha-256",
		"--pwfile="+secret, "--encoding=UTF8", "--locale=C", "--wal-segsize=1", "--no-sync")
	command := []string{filepath.Join(bin, "postgres"), "-D", data, "-p", fmt.Sprint(port)}
	for _, setting := range slices.Concat([]string{"listen_addresses=127.0.0.1", "unix_socket_directories=",
		"max_connections=60", "shared_buffers=32MB", "min_wal_size=4MB", "max_wal_size=32MB"}, settings) {
		command = append(command, "-c", setting)
	}
	s := &SQL{
		URL: fmt.Sprintf("postgres://admin:%s@%s/postgres", password, loopback(port)),
		Dir: dir, t: t, command: command, account: account, quit: syscall.SIGINT, ping: pingPostgres,
	}
	t.Cleanup(s.Stop)
	s.Start()
	return s
}

// postgresPrograms finds the newest of Debian's, which are in no PATH, or those
// of the PATH.
func postgresPrograms(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		return filepath.Dir(slices.Max(found))
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		Missing(t, "PostgreSQL")
	}
	return filepath.Dir(initdb)
}

func pingPostgres(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// PgBouncer starts a pooler in transaction mode before a PostgreSQL server. It has
// four connections, unless settings such as "default_pool_size = 2" say otherwise.
func PgBouncer(t testing.TB, server *SQL, settings ...string) *SQL {
	t.Helper()
	pooler := program(t, "pgbouncer", "PgBouncer")
	config, err := pgx.ParseConfig(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	account := accountOf(t, "postgres")
	dir, port := Folder(t, account), FreePort(t)
	files := map[string]string{
		"users": fmt.Sprintf("\"admin\" %q\n", password),
		"ini": fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = plain
auth_file = %s/users
pool_mode = transaction
default_pool_size = 4
%s
`, config.Port, port, dir, strings.Join(settings, "\n")),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := &SQL{
		URL: fmt.Sprintf("postgres://admin:%s@%s/%s", password, loopback(port), config.Database),
		Dir: dir, t: t, command: []string{pooler, filepath.Join(dir, "ini")}, account: account, quit: syscall.SIGINT, ping: pingPostgres,
	}
	t.Cleanup(s.Stop)
	s.Start()
	return s
}

// PgBouncerPrepares reports whether the PgBouncer of this machine has
// max_prepared_statements, as it has since 1.21.
func PgBouncerPrepares(t testing.TB) bool {
	t.Helper()
	out, err := exec.Command(program(t, "pgbouncer", "PgBouncer"), "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(out), "PgBouncer %d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	return major > 1 || minor >= 21
}
