package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/conformance/servers"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// A log-out makes three writes: it marks the entry in the list, ends the
// record, and removes the entry. The replica that takes over has the first so
// many of them. What package redisstore promises then is the last column.
func TestRedisFailoverLosesTheLastWrites(t *testing.T) {
	for kept, want := range []string{
		0: "lives, at most until its limits", // the log-out is lost
		1: "ends at its next touch",
		2: "is over",
		3: "is over",
	} {
		t.Run(fmt.Sprintf("of a log-out %d writes are left, the session %s", kept, want), func(t *testing.T) {
			master := servers.Redis(t)
			replica := replicaOf(t, master)
			name := servers.NewProxy(t, master.Addr())
			s := &counting{Store: openRedis(t, "redis://"+name.Addr())}
			m, err := session.New(session.Config{Store: s, IdleTimeout: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			var c client
			if err := c.login(t.Context(), m, "alice"); err != nil {
				t.Fatal(err)
			}
			s.writes, s.after = 0, func() {
				if s.writes == kept {
					detach(t, replica, master)
				}
			}
			s.after()
			if err := c.logout(t.Context(), m); err != nil || s.writes != 3 {
				t.Fatalf("log-out: %v after %d writes", err, s.writes)
			}
			master.Kill()
			name.Lead(replica.Addr())
			waitFor(t, func() bool { _, _, err := s.Get(t.Context(), "any"); return err == nil })
			_, first := c.authenticate(t.Context(), m)
			time.Sleep(150 * time.Millisecond)
			_, touched := c.authenticate(t.Context(), m)
			got := "is over"
			switch {
			case !over(first) && over(touched):
				got = "ends at its next touch"
			case !over(first):
				got = "lives, at most until its limits"
			}
			if got != want {
				t.Errorf("it %s: %v, %v", got, first, touched)
			}
			if err := m.LogoutAll(t.Context(), "alice"); err != nil {
				t.Error(err)
			}
			if _, err := c.authenticate(t.Context(), m); !over(err) {
				t.Errorf("after another log-out: %v", err)
			}
		})
	}
}

// counting is a store that counts its writes, and does something after each.
type counting struct {
	store.Store
	writes int
	after  func()
}

func (c *counting) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	swapped, err := c.Store.CompareAndSwap(ctx, key, old, new, ttl)
	if c.writes++; c.after != nil {
		c.after()
	}
	return swapped, err
}

// detach ends the replication when the replica has all that the master has.
func detach(t *testing.T, replica, master *servers.RedisServer) {
	t.Helper()
	replica.WaitInfo("replication", "slave_repl_offset:"+field(master, "master_repl_offset"))
	replica.Do("REPLICAOF", "NO", "ONE")
}

func field(server *servers.RedisServer, name string) string {
	_, rest, _ := strings.Cut(server.Do("INFO", "replication"), name+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

func TestRedisSessionsHaveNoRaces(t *testing.T) {
	for name, url := range map[string]string{
		"one server": servers.Redis(t).URL(),
		"a Cluster":  servers.RedisCluster(t)[0].URL(),
	} {
		t.Run(name, func(t *testing.T) {
			raceSessions(t, func(t *testing.T) store.Store { return openRedis(t, url) })
		})
	}
}
