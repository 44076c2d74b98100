package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/redisstore"
)

// silence is much more than what a stream of pushes may be silent for, which is
// 2 s, and less than the minute after which an entry is read again in any case.
const silence = 30 * time.Second

func TestNearCacheSeesOthersWithinThePushsDelay(t *testing.T) {
	for name, url := range map[string]string{
		"one server": servers.Redis(t).URL(),
		"a Cluster":  servers.RedisCluster(t)[0].URL(),
	} {
		here, there := openNear(t, url), openNear(t, url)
		var delays []time.Duration
		for i := range 200 {
			key := fmt.Sprint("delay:", i)
			mustSwap(t, here, key, nil, []byte("old"), time.Minute)
			wantCached(t, there, key, "old")
			mustSwap(t, here, key, []byte("old"), []byte("new"), time.Minute)
			delays = append(delays, waitCached(t, there, key, "new"))
		}
		slices.Sort(delays)
		t.Logf("%s: a change is seen after %v (median), %v (99th percentile), %v (worst)",
			name, delays[100], delays[198], delays[199])
	}
}

// wantCached reads twice, so that the value is in the cache.
func wantCached(t testing.TB, n *redisstore.Near, key, want string) {
	t.Helper()
	for range 2 {
		if value, ok, err := n.GetCached(t.Context(), key); string(value) != want || !ok || err != nil {
			t.Fatalf("GetCached: %q, %v, %v, want %q", value, ok, err, want)
		}
	}
}

// waitCached waits until the value has become another.
func waitCached(t testing.TB, n *redisstore.Near, key, want string) time.Duration {
	t.Helper()
	for start := time.Now(); ; {
		value, _, err := n.GetCached(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if string(value) == want {
			return time.Since(start)
		}
		if time.Since(start) > silence {
			t.Fatalf("after %v the old value is still there", silence)
		}
		time.Sleep(10 * time.Microsecond) // the push needs a processor
	}
}

func TestNearCacheServesLogoutsOfOtherHosts(t *testing.T) {
	url := servers.Redis(t).URL()
	here, there := newManager(t, openNear(t, url)), newManager(t, openNear(t, url))
	var slowest time.Duration
	for range 50 {
		var c client
		if err := c.login(t.Context(), here, "alice"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.authenticate(t.Context(), there); err != nil {
			t.Fatal(err)
		}
		if err := here.LogoutAll(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.authenticate(t.Context(), here); !over(err) {
			t.Errorf("on the host of the logout: %v", err)
		}
		start := time.Now()
		for !over(second(c.authenticate(t.Context(), there))) {
			time.Sleep(10 * time.Microsecond)
			if time.Since(start) > silence {
				t.Fatal("the other host never sees the logout")
			}
		}
		slowest = max(slowest, time.Since(start))
	}
	t.Logf("a logout is seen by another host after %v at worst", slowest)
}

func second[A, B any](_ A, b B) B { return b }

// What a process has seen is never older the next time, and what it has
// changed itself it sees at once.
func TestNearCacheNeverGoesBack(t *testing.T) {
	for name, url := range map[string]string{
		"one server": servers.Redis(t).URL(),
		"a Cluster":  servers.RedisCluster(t)[0].URL(),
	} {
		const versions, readers = 500, 6
		here, there := openNear(t, url), openNear(t, url)
		value := func(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
		mustSwap(t, here, "version", nil, value(0), time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for i := range readers {
			n := []*redisstore.Near{here, there}[i%2]
			group.Go(func() {
				for seen := 0; ctx.Err() == nil; {
					got, _, err := n.GetCached(t.Context(), "version")
					if err != nil || len(got) != 8 {
						t.Errorf("%s: %x, %v", name, got, err)
						return
					}
					now := int(binary.BigEndian.Uint64(got))
					if now < seen {
						t.Errorf("%s: version %d after %d", name, now, seen)
					}
					seen = now
					time.Sleep(20 * time.Microsecond)
				}
			})
		}
		for version := range versions {
			mustSwap(t, here, "version", value(version), value(version+1), time.Minute)
			if got, _, err := here.GetCached(t.Context(), "version"); !bytes.Equal(got, value(version+1)) || err != nil {
				t.Errorf("%s: a process does not see its own change: %x, %v", name, got, err)
			}
		}
		waitCached(t, there, "version", string(value(versions)))
		cancel()
		group.Wait()
	}
}

func TestNearCacheForgetsAllWhenItsStreamBreaks(t *testing.T) {
	server := servers.Redis(t)
	n, s := openNear(t, server.URL()), openRedis(t, server.URL())
	const keys = 50
	for i := range keys {
		mustSwap(t, s, fmt.Sprint("k", i), nil, []byte("v"), time.Minute)
		wantCached(t, n, fmt.Sprint("k", i), "v")
	}
	before := server.Calls("get")
	for i := range keys {
		wantCached(t, n, fmt.Sprint("k", i), "v")
	}
	if reads := server.Calls("get") - before; reads != 0 {
		t.Fatalf("%d reads of what is cached", reads)
	}
	killTracking(t, server)
	waitFor(t, func() bool { n.GetCached(t.Context(), "k0"); return server.Calls("get") > before })
	for i := range keys {
		wantCached(t, n, fmt.Sprint("k", i), "v")
	}
	if reads := server.Calls("get") - before; reads != keys {
		t.Errorf("after the stream was cut there are %d reads of %d keys", reads, keys)
	}
	mustSwap(t, s, "k0", []byte("v"), []byte("w"), time.Minute)
	waitCached(t, n, "k0", "w") // by the new stream
}

// killTracking cuts the connections on which the server pushes.
func killTracking(t testing.TB, server *servers.RedisServer) {
	t.Helper()
	cut := 0
	for _, c := range server.Clients() {
		if strings.Contains(c["flags"], "t") {
			server.Cut(c)
			cut++
		}
	}
	if cut == 0 {
		t.Fatal("no connection is tracking")
	}
}

func TestNearCacheServesNothingOfAServerThatIsGone(t *testing.T) {
	for rule, end := range map[string]func(*servers.RedisServer){
		"killed": (*servers.RedisServer).Kill,
		"paused": (*servers.RedisServer).Pause,
	} {
		server := servers.Redis(t)
		n := openNear(t, server.URL())
		mustSwap(t, n, "k", nil, []byte("v"), time.Minute)
		wantCached(t, n, "k", "v")
		end(server)
		start, served := time.Now(), time.Duration(0)
		for {
			value, ok, err := n.GetCached(t.Context(), "k")
			if err != nil {
				break
			}
			if !ok || string(value) != "v" {
				t.Fatalf("%s: %q, %v", rule, value, ok)
			}
			if served = time.Since(start); served > silence {
				t.Fatalf("%s: served for %v", rule, served)
			}
			time.Sleep(time.Millisecond)
		}
		t.Logf("%s: served for %v, then an error after %v", rule,
			served.Round(time.Millisecond), (time.Since(start) - served).Round(time.Millisecond))
	}
}

func TestNearCacheKeepsExpiryAndFlushes(t *testing.T) {
	server := servers.Redis(t, "--enable-debug-command", "local")
	n := openNear(t, server.URL())
	server.Do("DEBUG", "SET-ACTIVE-EXPIRE", "0") // so that no push comes
	mustSwap(t, n, "short", nil, []byte("v"), 200*time.Millisecond)
	if value, ok, err := n.GetCached(t.Context(), "short"); string(value) != "v" || !ok || err != nil {
		t.Fatal(value, ok, err)
	}
	time.Sleep(250 * time.Millisecond)
	if value, ok, err := n.GetCached(t.Context(), "short"); ok || err != nil {
		t.Errorf("after its time: %q, %v, %v", value, ok, err)
	}
	mustSwap(t, n, "k", nil, []byte("v"), time.Minute)
	wantCached(t, n, "k", "v")
	server.Do("FLUSHALL")
	for start := time.Now(); ; {
		if _, ok, err := n.GetCached(t.Context(), "k"); !ok && err == nil {
			break
		}
		if time.Since(start) > silence {
			t.Fatal("a flush is not seen")
		}
	}
}

// The key moves to another master of the Cluster, and is changed there.
func TestNearCacheFollowsASlotThatMoves(t *testing.T) {
	masters := servers.RedisCluster(t)
	n, s := openNear(t, masters[0].URL()), openRedis(t, masters[0].URL())
	mustSwap(t, s, "k", nil, []byte("v"), time.Minute)
	wantCached(t, n, "k", "v")
	slot := masters[0].Do("CLUSTER", "KEYSLOT", "authlatch:k")
	from := owner(t, masters, slot)
	to := masters[0]
	if from == to {
		to = masters[1]
	}
	fromID, toID := from.Do("CLUSTER", "MYID"), to.Do("CLUSTER", "MYID")
	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
	from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
	wantCached(t, n, "k", "v")
	from.Do("MIGRATE", "127.0.0.1", fmt.Sprint(to.Port), "authlatch:k", "0", "5000")
	mustSwap(t, s, "k", []byte("v"), []byte("w"), time.Minute)
	waitCached(t, n, "k", "w")
	for _, m := range []*servers.RedisServer{to, from} {
		m.Do("CLUSTER", "SETSLOT", slot, "NODE", toID)
	}
	mustSwap(t, s, "k", []byte("w"), []byte("x"), time.Minute)
	waitCached(t, n, "k", "x")
}

func owner(t testing.TB, masters []*servers.RedisServer, slot string) *servers.RedisServer {
	t.Helper()
	for _, m := range masters {
		if m.Do("CLUSTER", "COUNTKEYSINSLOT", slot) == "1" {
			return m
		}
	}
	t.Fatal("no master has the key")
	return nil
}

func TestRedisRoundTripsOfAnAuthenticatedRequest(t *testing.T) {
	const requests = 200
	server := servers.Redis(t)
	for _, test := range []struct {
		name  string
		store store.Store
		reads int
	}{
		{"without a near cache", openRedis(t, server.URL()), requests},
		{"with it", openNear(t, server.URL()), 0},
	} {
		m := newManager(t, test.store)
		var c client
		if err := c.login(t.Context(), m, "alice"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.authenticate(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		before := commands(server)
		for range requests {
			if _, err := c.authenticate(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		after := commands(server)
		total := 0
		for name, calls := range after {
			total += calls - before[name]
		}
		t.Logf("%s: %d requests, %d reads, %d other commands", test.name, requests,
			after["get"]-before["get"], total-(after["get"]-before["get"]))
		if after["get"]-before["get"] != test.reads || total != test.reads {
			t.Errorf("%s: want %d reads and nothing else", test.name, test.reads)
		}
	}
}

// commands returns how often the server has done each command but those that
// clients send by themselves and tests ask with.
func commands(server *servers.RedisServer) map[string]int {
	calls := make(map[string]int)
	for line := range strings.SplitSeq(server.Do("INFO", "commandstats"), "\r\n") {
		name, stats, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		var n int
		if _, err := fmt.Sscanf(stats, "%d,", &n); err != nil {
			continue
		}
		switch name, _, _ := strings.Cut(name, "|"); name {
		case "info", "hello", "client", "ping", "cluster":
		default:
			calls[name] += n
		}
	}
	return calls
}

// A flood of misses, as of made-up cookies, is not kept.
func TestNearCacheKeepsNoAbsence(t *testing.T) {
	server := servers.Redis(t)
	n := openNear(t, server.URL())
	var found atomic.Int64
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 100 {
				if _, ok, err := n.GetCached(t.Context(), fmt.Sprintf("absent:%d:%d", i, j)); ok || err != nil {
					found.Add(1)
				}
			}
		})
	}
	group.Wait()
	if found.Load() != 0 {
		t.Errorf("%d of what is absent is there", found.Load())
	}
	mustSwap(t, openRedis(t, server.URL()), "absent:0:0", nil, []byte("v"), time.Minute)
	wantCached(t, n, "absent:0:0", "v")
}
