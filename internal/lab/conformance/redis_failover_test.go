package conformance

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// A logout makes a few writes, and the replica that takes over has the first
// so many of them. If it has one, the session ends at its next touch at the
// latest; if it has none, the logout is lost, as package redisstore says.
func TestRedisFailoverLosesTheLastWrites(t *testing.T) {
	for rule, end := range map[string]func(*client, *session.Manager) error{
		"logout":            func(c *client, m *session.Manager) error { return c.logout(t.Context(), m) },
		"logout everywhere": func(_ *client, m *session.Manager) error { return m.LogoutAll(t.Context(), "alice") },
	} {
		for kept, writes := 0, 1; kept <= writes; kept++ {
			t.Run(fmt.Sprintf("%s, writes kept: %d", rule, kept), func(t *testing.T) {
				writes = failOver(t, kept, end)
			})
		}
	}
}

// failOver returns how many writes there were.
func failOver(t *testing.T, kept int, end func(*client, *session.Manager) error) (writes int) {
	master := servers.Redis(t)
	replica := replicaOf(t, master)
	name := servers.NewProxy(t, master.Addr())
	s := &counting{Store: openRedis(t, "redis://"+name.Addr())}
	m, err := session.New(session.Config{Store: s, Limits: auth.Limits{IdleTimeout: time.Second}})
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
	if err := end(&c, m); err != nil || s.writes < kept {
		t.Fatalf("%v after %d writes", err, s.writes)
	}
	writes, s.after = s.writes, nil
	master.Kill()
	name.Lead(replica.Addr())
	waitFor(t, func() bool { _, _, err := s.Get(t.Context(), "any"); return err == nil })
	_, first := c.authenticate(t.Context(), m)
	time.Sleep(150 * time.Millisecond) // a tenth of the idle time, and more
	_, touched := c.authenticate(t.Context(), m)
	t.Logf("%d of %d writes are left: at first %v, at the next touch %v", kept, writes, first, touched)
	if kept > 0 && !over(touched) {
		t.Errorf("the session lives after its next touch")
	}
	if err := m.LogoutAll(t.Context(), "alice"); err != nil {
		t.Error(err)
	}
	if _, err := c.authenticate(t.Context(), m); !over(err) {
		t.Errorf("after another logout: %v", err)
	}
	return writes
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
	catchUp(t, replica, master)
	replica.Do("REPLICAOF", "NO", "ONE")
}

// catchUp waits until the replica has all that the master has. A master that holds
// writers back takes its time to send the last of it.
func catchUp(t *testing.T, replica, master *servers.RedisServer) {
	t.Helper()
	want := offset(t, master, "master_repl_offset") // it goes on growing, by pings
	waitFor(t, func() bool { return offset(t, replica, "slave_repl_offset") >= want })
}

func offset(t *testing.T, server *servers.RedisServer, name string) int {
	t.Helper()
	n, err := strconv.Atoi(field(server, name))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func field(server *servers.RedisServer, name string) string {
	_, rest, _ := strings.Cut(server.Do("INFO", "replication"), name+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}
