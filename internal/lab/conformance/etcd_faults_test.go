package conformance

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/authlatch/auth/internal/conformance/servers"
)

// etcdFaults happen to a cluster of three while two processes serve.
var etcdFaults = []struct {
	name    string
	happens func(t *testing.T, c servers.EtcdCluster)
	bites   bool // some requests must fail
}{
	{"leader: kill -9 and restart", func(t *testing.T, c servers.EtcdCluster) {
		leader, _ := c.Leader()
		leader.Kill()
		time.Sleep(2 * time.Second)
		leader.Start()
	}, false},
	{"follower: kill -9 and restart", func(t *testing.T, c servers.EtcdCluster) {
		_, followers := c.Leader()
		followers[0].Kill()
		time.Sleep(time.Second)
		followers[0].Start()
	}, false},
	{"majority lost: two of three killed", func(t *testing.T, c servers.EtcdCluster) {
		c[0].Kill()
		c[1].Kill()
		time.Sleep(2 * time.Second)
		c[0].Start()
		c[1].Start()
	}, true},
	{"all three killed at once", func(t *testing.T, c servers.EtcdCluster) {
		for _, m := range c {
			m.Kill()
		}
		time.Sleep(300 * time.Millisecond)
		for _, m := range c {
			m.Start()
		}
	}, true},
	{"leader: paused", func(t *testing.T, c servers.EtcdCluster) {
		leader, _ := c.Leader()
		leader.Pause()
		time.Sleep(4 * time.Second)
		leader.Resume()
	}, true},
	{"follower: paused", func(t *testing.T, c servers.EtcdCluster) {
		_, followers := c.Leader()
		followers[0].Pause()
		time.Sleep(2 * time.Second)
		followers[0].Resume()
	}, false},
	{"leader: cut off from the others", func(t *testing.T, c servers.EtcdCluster) {
		leader, _ := c.Leader()
		leader.Isolate()
		time.Sleep(4 * time.Second)
		leader.Join()
	}, false},
	{"follower: cut off from the others", func(t *testing.T, c servers.EtcdCluster) {
		_, followers := c.Leader()
		followers[0].Isolate()
		time.Sleep(3 * time.Second)
		followers[0].Join()
	}, false},
	{"leadership moved, again and again", func(t *testing.T, c servers.EtcdCluster) {
		for range 5 {
			leader, followers := c.Leader()
			client := leader.Client()
			if _, err := client.MoveLeader(t.Context(), followers[0].ID); err != nil {
				t.Log(err)
			}
			client.Close()
			time.Sleep(200 * time.Millisecond)
		}
	}, false},
	{"compacted and defragmented", compactAndDefragment, false},
}

// ASVS 5.0, 16.5.2.
// TestEtcdSurvivesFaults prints a table: in none of its rows a logout is undone,
// an update lost, or a request let in or logged out that should not be.
func TestEtcdSurvivesFaults(t *testing.T) {
	table := []string{"", fmt.Sprintf("%-38s %8s %8s %9s %7s %6s %9s %10s %9s %9s", "etcd, three members", "answered", "refused",
		"slowest", "undone", "lost", "wrong in", "wrong out", "recovery", "logouts")}
	run := func(name string, c servers.EtcdCluster, happens func(*testing.T, servers.EtcdCluster), bites bool) {
		t.Run(name, func(t *testing.T) {
			f := startTraffic(t, openEtcd(t, c), openEtcd(t, c))
			time.Sleep(300 * time.Millisecond)
			happens(t, c)
			got := f.recover()
			c.WaitReady()
			row := fmt.Sprintf("%-38s %8d %8d %9v %7d %6d %9d %10d %9v %9d", name, got.answered, got.refused,
				got.slowest.Round(time.Millisecond), got.undone, got.lost, got.wronglyIn, got.wronglyOut,
				got.recovery.Round(time.Millisecond), len(f.ended))
			table = append(table, row)
			if got.undone+got.lost+got.wronglyIn+got.wronglyOut != 0 || got.slowest > slowestAllowed || len(f.ended) == 0 {
				t.Error(row)
			}
			if bites && got.refused == 0 {
				t.Error("no request noticed the fault")
			}
		})
	}
	c := servers.Etcd(t, 3)
	for _, fault := range etcdFaults {
		run(fault.name, c, fault.happens, fault.bites)
	}
	run("database at its quota, then freed", servers.Etcd(t, 3, "--quota-backend-bytes", "8388608"), fillAndFree, true)
	t.Log(strings.Join(table, "\n"))
}

func compactAndDefragment(t *testing.T, c servers.EtcdCluster) {
	for i := range 12 {
		free(t, c[i%len(c):][:1])
		time.Sleep(50 * time.Millisecond)
	}
}

// fillAndFree does what an operator does with a full database.
func fillAndFree(t *testing.T, c servers.EtcdCluster) {
	fillEtcd(t, c)
	time.Sleep(time.Second)
	freeEtcd(t, c)
}

// fillEtcd writes beside the store until the database has reached its quota.
func fillEtcd(t *testing.T, c servers.EtcdCluster) {
	t.Helper()
	client := c[0].Client()
	defer client.Close()
	filler := string(bytes.Repeat([]byte("x"), 1<<19))
	for i := range 1000 {
		if _, err := client.Put(t.Context(), fmt.Sprint("filler/", i), filler); err != nil {
			if !strings.Contains(err.Error(), "space exceeded") {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("the database is never full")
}

func freeEtcd(t *testing.T, c servers.EtcdCluster) {
	t.Helper()
	client := c[0].Client()
	defer client.Close()
	if _, err := client.Delete(t.Context(), "filler/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	free(t, c)
	if _, err := client.AlarmDisarm(t.Context(), &clientv3.AlarmMember{}); err != nil {
		t.Fatal(err)
	}
}

// free drops all older revisions, and gives their space back at these members.
func free(t *testing.T, members servers.EtcdCluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for i, m := range members {
		client := m.Client()
		defer client.Close()
		if i == 0 {
			now, err := client.Get(ctx, "any")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.Compact(ctx, now.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
				t.Log(err) // another has compacted as much
			}
		}
		if _, err := client.Defragment(ctx, m.URL); err != nil {
			t.Fatal(err)
		}
	}
}
