package conformance

import (
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store/postgresstore"
	"github.com/authlatch/auth/store/redisstore"
)

// A certificate that expires, or is another host's, is an error that says so. Nothing is
// lost: connections that exist go on, and a valid certificate is taken again.
func TestPostgresCertificates(t *testing.T) {
	server, ca := servers.Postgres(t, ""), newAuthority(t)
	files := filepath.Join(server.Dir, "data")
	present := func(c certificate) {
		t.Helper()
		for name, from := range map[string]string{"server.crt": c.cert, "server.key": c.key} {
			give(t, files, name, from)
		}
		execute(t, server.URL, `SELECT pg_reload_conf()`)
	}
	open := func() (*postgresstore.Store, error) {
		return postgresstore.Open(t.Context(), server.URL+"?sslmode=verify-full&sslrootcert="+url.QueryEscape(ca.file))
	}
	hour := time.Now().Add(time.Hour)
	present(ca.issue(t, "127.0.0.1", hour))
	execute(t, server.URL, `ALTER SYSTEM SET ssl = on`, `SELECT pg_reload_conf()`)
	var s *postgresstore.Store
	opens := func() (opened bool) {
		var err error
		s, err = open()
		return err == nil
	}
	waitFor(t, opens)
	defer s.Close()
	mustSwap(t, s, "k", nil, []byte("v"), time.Hour)
	for says, c := range map[string]certificate{
		"certificate has expired":                           ca.issue(t, "127.0.0.1", time.Now().Add(-time.Minute)),
		"certificate is valid for 127.0.0.2, not 127.0.0.1": ca.issue(t, "127.0.0.2", hour),
		"unknown authority":                                 newAuthority(t).issue(t, "127.0.0.1", hour),
	} {
		present(c)
		waitFor(t, func() bool {
			later, err := open()
			if err == nil {
				later.Close()
				return false
			}
			if strings.Contains(err.Error(), "correct-horse") {
				t.Fatal("the error has the password")
			}
			return strings.Contains(err.Error(), says)
		})
		wantValue(t, s, "k", "v")
	}
	present(ca.issue(t, "127.0.0.1", hour))
	first := s
	waitFor(t, opens)
	wantValue(t, s, "k", "v")
	first.Close()
}

// give copies a file to the account that owns a folder.
func give(t *testing.T, dir, name, from string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	to, owner := filepath.Join(dir, name), info.Sys().(*syscall.Stat_t)
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(to, int(owner.Uid), int(owner.Gid)); err != nil {
		t.Fatal(err)
	}
}

func TestRedisCertificates(t *testing.T) {
	ca := newAuthority(t)
	for says, c := range map[string]certificate{
		"certificate has expired": ca.issue(t, "127.0.0.1", time.Now().Add(-time.Minute)),
		"unknown authority":       ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour)),
	} {
		server := servers.Redis(t)
		server.Do("CONFIG", "SET", "tls-cert-file", c.cert, "tls-key-file", c.key, "tls-ca-cert-file", ca.file, "tls-auth-clients", "no")
		port := strconv.Itoa(servers.FreePort(t))
		server.Do("CONFIG", "SET", "tls-port", port)
		s, err := redisstore.Open(t.Context(), "rediss://default:hunter2@127.0.0.1:"+port)
		if s != nil || err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v, want %q", err, says)
		}
	}
}
