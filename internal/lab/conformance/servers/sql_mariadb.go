package servers

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	_ "github.com/go-sql-driver/mysql" // the driver that ping uses
)

// MariaDB starts a MariaDB server in a folder of its own, with options such as
// "--read-only". Its database is called auth.
func MariaDB(t testing.TB, options ...string) *SQL {
	t.Helper()
	server, install := program(t, "mariadbd", "MariaDB"), program(t, "mariadb-install-db", "MariaDB")
	account := accountOf(t, "mysql")
	dir, port := Folder(t, account), FreePort(t)
	data, first := filepath.Join(dir, "data"), filepath.Join(dir, "first.sql")
	err := os.WriteFile(first, []byte("CREATE DATABASE IF NOT EXISTS auth;\n"+
		"CREATE USER IF NOT EXISTS 'admin'@'%' IDENTIFIED BY '"+password+"';\n"+
		"GRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION;\n"), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	run(t, account, dir, install, "--no-defaults", "--datadir="+data, "--skip-test-db",
		"--auth-root-authentication-method=normal", "--innodb-flush-log-at-trx-commit=0")
	s := &SQL{
		URL: fmt.Sprintf("admin:%s@tcp(%s)/auth", password, loopback(port)),
		Dir: dir, t: t, account: account, quit: syscall.SIGTERM, ping: pingMariaDB,
		command: append([]string{server, "--no-defaults", "--datadir=" + data, "--init-file=" + first,
			fmt.Sprintf("--port=%d", port), "--bind-address=127.0.0.1", "--skip-name-resolve",
			"--socket=" + filepath.Join(dir, "socket"), "--pid-file=" + filepath.Join(dir, "pid"),
			"--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M"}, options...),
	}
	t.Cleanup(s.Stop)
	s.Start()
	return s
}

func pingMariaDB(ctx context.Context, url string) error {
	db, err := sql.Open("mysql", url)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.PingContext(ctx)
}
