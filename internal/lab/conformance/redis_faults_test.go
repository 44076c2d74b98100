package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/session"
)

var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

// ASVS 5.0, 16.5.2.
// TestRedisSurvivesFaults prints a table: in none of its rows a logout is
// undone, an update lost, or a user logged in or out by mistake.
// Two processes serve users, and a third one with a near cache watches them.
func TestRedisSurvivesFaults(t *testing.T) {
	table := []string{"", fmt.Sprintf("%-44s %8s %8s %9s %7s %6s %9s %10s %9s %9s", "Redis", "answered", "refused",
		"slowest", "undone", "lost", "wrong in", "wrong out", "recovery", "logouts")}
	for _, fault := range []struct {
		name  string
		start func(t *testing.T) (url string, happens func())
		bites bool // some requests must fail
	}{
		{"kill -9 and restart, appendfsync always", killRedis(servers.Redis), true},
		{"Valkey: kill -9 and restart, the same", killRedis(servers.Valkey), true},
		{"paused beyond all bounds", pauseRedis, true},
		{"connections cut", cutRedis, false},
		{"a Cluster's master: kill -9 and restart", killRedisMaster, true},
		{"master killed, replica promoted", promoteRedisReplica(servers.Redis), false},
		{"Valkey: master killed, replica promoted", promoteRedisReplica(servers.Valkey), false},
		{"a Cluster's master killed, replica elected", electRedisReplica, true},
		{"master killed, replica chosen by a Sentinel", chooseRedisReplica, true},
	} {
		t.Run(fault.name, func(t *testing.T) {
			url, happens := fault.start(t)
			f := startTraffic(t, openRedis(t, url), openRedis(t, url))
			w := watch(t, f.managers[0], newManager(t, openNear(t, url)))
			time.Sleep(300 * time.Millisecond)
			happens()
			got := f.recover()
			w.end(f.ended)
			got.undone += w.undone
			got.wronglyOut += w.wronglyOut
			table = append(table, fmt.Sprintf("%-44s %8d %8d %9v %7d %6d %9d %10d %9v %9d", fault.name, got.answered, got.refused,
				got.slowest.Round(time.Millisecond), got.undone, got.lost, got.wronglyIn, got.wronglyOut,
				got.recovery.Round(time.Millisecond), len(f.ended)+w.ended))
			if got.undone+got.lost+got.wronglyIn+got.wronglyOut != 0 || got.slowest > slowestAllowed || len(f.ended) == 0 || w.ended == 0 {
				t.Error(table[len(table)-1])
			}
			if fault.bites && got.refused == 0 {
				t.Error("no client noticed the fault")
			}
		})
	}
	t.Log(strings.Join(table, "\n"))
}

type startRedis func(t testing.TB, options ...string) *servers.RedisServer

func killRedis(start startRedis) func(t *testing.T) (string, func()) {
	return func(t *testing.T) (string, func()) {
		server := start(t, durable...)
		return server.URL(), func() {
			server.Kill()
			time.Sleep(300 * time.Millisecond)
			server.Start()
		}
	}
}

func pauseRedis(t *testing.T) (string, func()) {
	server := servers.Redis(t)
	return server.URL(), func() {
		server.Pause()
		time.Sleep(6500 * time.Millisecond)
		server.Resume()
	}
}

func cutRedis(t *testing.T) (string, func()) {
	server := servers.Redis(t)
	return server.URL(), func() {
		for range 100 {
			clients := server.Clients()
			server.Cut(clients[rand.IntN(len(clients))])
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func killRedisMaster(t *testing.T) (string, func()) {
	masters := servers.RedisCluster(t, durable...)
	return masters[0].URL(), func() {
		masters[1].Kill()
		time.Sleep(300 * time.Millisecond)
		masters[1].Start()
	}
}

// promoteRedisReplica lets the replica have all before the master dies. What
// may be lost otherwise is another test's.
func promoteRedisReplica(start startRedis) func(t *testing.T) (string, func()) {
	return func(t *testing.T) (string, func()) {
		master := start(t)
		replica := start(t, replicating(master)...)
		replica.WaitInfo("replication", "master_link_status:up")
		name := servers.NewProxy(t, master.Addr())
		return "redis://" + name.Addr(), func() {
			master.Do("CLIENT", "PAUSE", "10000", "WRITE")
			detach(t, replica, master)
			master.Kill()
			name.Lead(replica.Addr())
		}
	}
}

// electRedisReplica leaves the promotion to the Cluster.
func electRedisReplica(t *testing.T) (string, func()) {
	masters := servers.RedisCluster(t)
	replica := servers.RedisClusterReplica(t, masters[1])
	return masters[0].URL(), func() {
		masters[1].Do("CLIENT", "PAUSE", "10000", "WRITE")
		catchUp(t, replica, masters[1])
		masters[1].Kill()
		time.Sleep(2 * time.Second)
	}
}

func chooseRedisReplica(t *testing.T) (string, func()) {
	master := servers.Redis(t)
	replica := replicaOf(t, master)
	sentinel := servers.RedisSentinel(t, master)
	return sentinel.URL() + "?master_set=auth", func() {
		master.Do("CLIENT", "PAUSE", "10000", "WRITE")
		catchUp(t, replica, master)
		master.Kill()
		time.Sleep(2 * time.Second)
	}
}

func replicaOf(t *testing.T, master *servers.RedisServer) *servers.RedisServer {
	t.Helper()
	replica := servers.Redis(t, replicating(master)...)
	replica.WaitInfo("replication", "master_link_status:up")
	return replica
}

func replicating(master *servers.RedisServer) []string {
	return []string{"--replicaof", "127.0.0.1", fmt.Sprint(master.Port)}
}

// A watcher logs users in and out at one process, and looks at them at another
// one with a near cache.
type watcher struct {
	here, near                *session.Manager
	stop                      context.CancelFunc
	users                     sync.WaitGroup
	undone, wronglyOut, ended int
}

func watch(t *testing.T, here, near *session.Manager) *watcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{here: here, near: near, stop: cancel}
	t.Cleanup(func() { w.stop(); w.users.Wait() })
	w.users.Go(func() {
		for ctx.Err() == nil {
			w.stay(&client{})
			time.Sleep(time.Millisecond)
		}
	})
	return w
}

func (w *watcher) stay(c *client) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*silence)
	defer cancel()
	if c.login(ctx, w.here, "watched") != nil {
		return
	}
	for range 20 {
		if _, err := c.authenticate(ctx, w.near); over(err) {
			w.wronglyOut++
		}
		time.Sleep(time.Millisecond)
	}
	if c.logout(ctx, w.here) != nil {
		return
	}
	w.ended++
	for start := time.Now(); time.Since(start) < silence; time.Sleep(time.Millisecond) {
		if _, err := c.authenticate(ctx, w.near); err != nil {
			return // over, or not to be answered
		}
	}
	w.undone++
}

// end looks at all that has ended once more.
func (w *watcher) end(ended []*client) {
	w.stop()
	w.users.Wait()
	for _, c := range ended {
		if _, err := c.authenticate(context.Background(), w.near); err == nil {
			w.undone++
		}
	}
}
