package conformance

import (
	"strconv"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/storetest"
)

// What the server says is the only way to see the end of a life of years.
func TestRedisKeepsLongLivesWhole(t *testing.T) {
	const year = 365 * 24 * time.Hour
	server := servers.Redis(t)
	mustSwap(t, openRedis(t, server.URL()), "k", nil, []byte("v"), year)
	ms, err := strconv.ParseInt(server.Do("PTTL", "authlatch:k"), 10, 64)
	if left := time.Duration(ms) * time.Millisecond; err != nil || left < year-time.Hour || left > year {
		t.Errorf("a ttl of a year is kept as %v: %v", left, err)
	}
}

// A paused server does not respond.
func TestNoRedisCallHangs(t *testing.T) {
	server := servers.Redis(t)
	storetest.RunBlocked(t, func(t *testing.T) store.Store { return openRedis(t, server.URL()) },
		func(_ *testing.T, _ string) func() {
			server.Pause()
			return server.Resume
		})
}

func TestSQLiteKeepsLongLivesWhole(t *testing.T) {
	const year = 365 * 24 * time.Hour
	file := sqliteFile(t)
	mustSwap(t, openSQLite(t, file), "k", nil, []byte("v"), year)
	var ms int64
	err := database(t, "sqlite", file).QueryRow(`SELECT expires_at FROM auth_store`).Scan(&ms)
	if left := time.Until(time.UnixMilli(ms)); err != nil || left < year-time.Hour || left > year+time.Second {
		t.Errorf("a ttl of a year is kept as %v: %v", left, err)
	}
}
