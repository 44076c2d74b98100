package conformance

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
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
	}, false},
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
	{"slow disks: 0.2 s for each fsync", func(_ *testing.T, c servers.EtcdCluster) {
		c.SlowDisk(200*time.Millisecond, 4*time.Second)
	}, false},
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
	onDisks, disks := servers.EtcdOnDisks(t, 3)
	run("leader: its disk is full", onDisks, func(t *testing.T, c servers.EtcdCluster) {
		fillDiskOfLeader(t, c, disks)
	}, false)
	t.Log(strings.Join(table, "\n"))
}

// fillDiskOfLeader leaves the leader no space, and writes until it has noticed: it ends.
// The operator then frees the disk and starts it.
func fillDiskOfLeader(t *testing.T, c servers.EtcdCluster, disks map[*servers.EtcdMember]*servers.Disk) {
	leader, others := c.Leader()
	disks[leader].Fill()
	client := others[0].Client()
	defer client.Close()
	filler := string(bytes.Repeat([]byte("x"), 1<<19))
	begin := time.Now()
	for i := 0; leader.Running(); i++ {
		if time.Since(begin) > hang {
			t.Fatal("the leader goes on without a disk")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := client.Put(ctx, fmt.Sprint("filler/", i%40), filler)
		cancel()
		if err != nil {
			time.Sleep(50 * time.Millisecond)
		}
	}
	time.Sleep(time.Second)
	disks[leader].Free()
	leader.Start()
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

// A member that is cut off from the others cannot know what has happened since.
func TestEtcdMemberThatIsCutOffIsNotBelieved(t *testing.T) {
	c := servers.Etcd(t, 3)
	mustSwap(t, openEtcd(t, c), "k", nil, []byte("v"), time.Hour)
	for _, role := range []string{"leader", "follower"} {
		cutOff, others := c.Leader()
		if role == "follower" {
			cutOff, others = others[0], servers.EtcdCluster{cutOff, others[1]}
		}
		s, there := openEtcdAt(t, cutOff.URL), openEtcd(t, others)
		mustSwap(t, there, role, nil, []byte("v"), time.Hour)
		wantValue(t, s, role, "v")
		cutOff.Isolate()
		waitFor(t, func() bool { return there.Delete(t.Context(), role) == nil })
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), requestTimeout)
			if value, ok, err := s.Get(ctx, role); err == nil {
				t.Errorf("%s: Get after a Delete elsewhere: %q, %v", role, value, ok)
			}
			cancel()
		}
		ctx, cancel := context.WithTimeout(t.Context(), requestTimeout)
		defer cancel()
		swapped, err := s.CompareAndSwap(ctx, role, []byte("v"), []byte("w"), time.Hour)
		if swapped || err == nil {
			t.Errorf("%s: swap: %v, %v", role, swapped, err)
		}
		cutOff.Join()
		waitFor(t, func() bool { _, _, err := s.Get(t.Context(), role); return err == nil })
		wantValue(t, s, role, "")
		c.WaitReady()
	}
}

// Logging out must work where logging in does not.
func TestEtcdAtItsQuotaStillDeletes(t *testing.T) {
	c := servers.Etcd(t, 1, "--quota-backend-bytes", "4194304")
	s := openEtcd(t, c)
	m := newManager(t, s)
	var alice client
	if err := alice.login(t.Context(), m, "alice"); err != nil {
		t.Fatal(err)
	}
	mustSwap(t, s, "ends", nil, []byte("v"), time.Hour)
	mustSwap(t, s, "expires", nil, []byte("v"), time.Millisecond)
	mustSwap(t, s, "swept", nil, []byte("v"), time.Millisecond)
	fillEtcd(t, c)
	if err := second(s.CompareAndSwap(t.Context(), "ends", []byte("v"), []byte("w"), time.Hour)); err == nil || !strings.Contains(err.Error(), "disarm the alarm") {
		t.Errorf("swap: %v", err)
	}
	if err := second(s.CompareAndSwap(t.Context(), "begins", nil, []byte("w"), time.Hour)); err == nil || !strings.Contains(err.Error(), c[0].URL) {
		t.Errorf("create: %v", err)
	}
	wantValue(t, s, "ends", "v")
	wantValue(t, s, "expires", "")
	if _, err := alice.authenticate(t.Context(), m); err != nil {
		t.Errorf("a request: %v", err)
	}
	s = openEtcd(t, c) // a process that starts again serves and ends logins
	if n, err := s.DeleteExpired(t.Context()); n != 1 || err != nil {
		t.Errorf("DeleteExpired: %d, %v", n, err)
	}
	if err := s.Delete(t.Context(), "ends"); err != nil {
		t.Errorf("Delete: %v", err)
	}
	wantValue(t, s, "ends", "")
	if err := alice.logout(t.Context(), m); err != nil {
		t.Logf("Logout at the quota: %v", err)
	} else if _, err := alice.authenticate(t.Context(), m); !over(err) {
		t.Errorf("after a logout at the quota: %v", err)
	}
	freeEtcd(t, c)
	mustSwap(t, s, "ends", nil, []byte("v"), time.Hour)
	if err := alice.logout(t.Context(), m); err != nil && !over(err) {
		t.Errorf("logout after it was freed: %v", err)
	}
	if _, err := alice.authenticate(t.Context(), m); !over(err) {
		t.Errorf("after logout: %v", err)
	}
}
