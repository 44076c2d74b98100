package conformance

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store"
)

// TestEtcdNumbers prints what calls of stores cost that have an acknowledged
// write on disk: medians, and their ratio to PostgreSQL's. All take turns.
func TestEtcdNumbers(t *testing.T) {
	const rounds, calls = 5, 20
	stores := []struct {
		name  string
		store store.Store
	}{
		{"PostgreSQL", openPostgres(t, newDatabase(t, servers.Postgres(t, "").URL))},
		{"Redis, appendfsync always", openRedis(t, servers.Redis(t, durable...).URL())},
		{"etcd, one member", openEtcd(t, servers.Etcd(t, 1))},
		{"etcd, three members", openEtcd(t, servers.Etcd(t, 3, calm...))},
	}
	cells := []struct {
		name   string
		atOnce int
		call   func(t *testing.T, s store.Store, key string, n uint64)
	}{
		{"Get", 1, getOnce}, {"Get, 32 at once", 32, getOnce}, {"swap", 1, swapOnce}, {"swap, 32 at once", 32, swapOnce},
	}
	times := make(map[string][]time.Duration)
	for round := range rounds {
		for _, s := range stores {
			for _, cell := range cells {
				took := perCall(cell.atOnce, calls, func(who, n int) {
					cell.call(t, s.store, fmt.Sprint(cell.name[:1], round, ".", cell.atOnce, ".", who), uint64(n))
				})
				times[s.name+cell.name] = append(times[s.name+cell.name], took)
			}
		}
	}
	table := fmt.Sprintf("\n%-26s", "time of a call, × PostgreSQL")
	for _, cell := range cells {
		table += fmt.Sprintf(" %24s", cell.name)
	}
	for _, s := range stores {
		table += fmt.Sprintf("\n%-28s", s.name)
		for _, cell := range cells {
			mine, base := median(times[s.name+cell.name]), median(times[stores[0].name+cell.name])
			table += fmt.Sprintf(" %16v × %5.2f", mine.Round(time.Microsecond), float64(mine)/float64(base))
		}
	}
	t.Log(table)
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// perCall returns the time of a call when so many make it at once.
func perCall(atOnce, calls int, call func(who, n int)) time.Duration {
	var group sync.WaitGroup
	start := time.Now()
	for who := range atOnce {
		group.Go(func() {
			for n := range calls {
				call(who, n)
			}
		})
	}
	group.Wait()
	return time.Since(start) / time.Duration(calls*atOnce)
}

func getOnce(t *testing.T, s store.Store, key string, n uint64) {
	if n == 0 {
		swapOnce(t, s, key, 0)
	}
	if _, _, err := s.Get(t.Context(), key); err != nil {
		t.Error(err)
	}
}

// swapOnce swaps values of 200 bytes, as a touch does.
func swapOnce(t *testing.T, s store.Store, key string, n uint64) {
	value := func(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 192), n) }
	var old []byte
	if n > 0 {
		old = value(n - 1)
	}
	if swapped, err := s.CompareAndSwap(t.Context(), key, old, value(n), time.Hour); !swapped || err != nil {
		t.Error(swapped, err)
	}
}

// TestEtcdSizeNumbers prints what a login takes in the database, and how long a
// DeleteExpired takes, over 300,000 records if AUTH_LONG is set.
func TestEtcdSizeNumbers(t *testing.T) {
	const logins = 1000
	c := servers.Etcd(t, 1)
	s, direct := openEtcd(t, c), etcdClient(t, c)
	m := newManager(t, s)
	before := etcdSize(t, c, direct)
	perCall(16, logins/16, func(who, n int) {
		var user client
		if err := user.login(t.Context(), m, fmt.Sprint("user", who, ".", n)); err != nil {
			t.Error(err)
		}
	})
	revisions := etcdRevision(t, direct)
	after := etcdSize(t, c, direct)
	n := int64(logins / 16 * 16)
	t.Logf("a login takes %d bytes of the database, in %d keys and %.1f writes", (after-before)/n, etcdCount(t, direct, "")/n, float64(revisions)/float64(n))

	records := 20_000
	if os.Getenv("AUTH_LONG") != "" {
		records = 300_000
	}
	mustSwap(t, s, "template", nil, make([]byte, 150), time.Millisecond)
	template, err := direct.Get(t.Context(), etcdPrefix+"template")
	if err != nil {
		t.Fatal(err)
	}
	living, err := direct.Get(t.Context(), etcdPrefix, clientv3.WithPrefix(), clientv3.WithLimit(1))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < records; i += 100 {
		var ops []clientv3.Op
		for j := range 100 {
			value := living.Kvs[0].Value
			if j < 10 { // each tenth has expired
				value = template.Kvs[0].Value
			}
			digest := sha256.Sum256(fmt.Append(nil, i+j)) // keys are digests
			ops = append(ops, clientv3.OpPut(etcdPrefix+base64.RawURLEncoding.EncodeToString(digest[:]), string(value)))
		}
		if _, err := direct.Txn(t.Context()).Then(ops...).Commit(); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	removed, err := s.DeleteExpired(t.Context())
	took := time.Since(start)
	start = time.Now()
	again, err2 := s.DeleteExpired(t.Context())
	t.Logf("DeleteExpired over %d records, of which %d had expired: %v; once more, over the rest: %v", records, removed, took, time.Since(start))
	if removed < int64(records/10) || again != 0 || err != nil || err2 != nil {
		t.Errorf("%d removed, then %d, %v, %v", removed, again, err, err2)
	}
}

func etcdSize(t *testing.T, c servers.EtcdCluster, direct *clientv3.Client) int64 {
	t.Helper()
	free(t, c)
	status, err := direct.Status(t.Context(), c[0].URL)
	if err != nil {
		t.Fatal(err)
	}
	return status.DbSizeInUse
}
