package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store/etcdstore"
)

// ASVS 5.0, 14.2.7.
func TestEtcd(t *testing.T) {
	c := servers.Etcd(t, 3, calm...)
	for rule, check := range map[string]func(t *testing.T, c servers.EtcdCluster){
		"a write is never tried again":                         etcdWritesOnce,
		"a swap is one write, without a lease":                 etcdRequests,
		"an expired record is gone once a host has said so":    etcdExpiredIsGone,
		"an expired record is removed, and no other":           etcdDeleteExpired,
		"processes that delete expired records do not collide": etcdDeleteExpiredAtOnce,
		"values of other programs are errors":                  etcdForeignValues,
		"a client of the service is shared":                    etcdSharesAClient,
		"Close ends what Open opened":                          etcdClosed,
	} {
		t.Run(rule, func(t *testing.T) { check(t, c) })
	}
	// A member that was paused makes the others elect a leader, which takes them longer than
	// a call may. So these rules have clusters of their own.
	for rule, check := range map[string]func(t *testing.T, c servers.EtcdCluster){
		"calls end with their context":                                etcdContexts,
		"a read that one member does not answer is asked of the next": etcdNextMember,
	} {
		t.Run(rule, func(t *testing.T) { check(t, servers.Etcd(t, 3, calm...)) })
	}
}

const etcdPrefix = "authlatch/"

func etcdClient(t *testing.T, c servers.EtcdCluster) *clientv3.Client {
	t.Helper()
	client := c[0].Client()
	t.Cleanup(func() { client.Close() })
	return client
}

func etcdWritesOnce(t *testing.T, c servers.EtcdCluster) {
	way := servers.NewProxy(t, strings.TrimPrefix(c[0].URL, "http://"))
	s, direct, client := openEtcdAt(t, "http://"+way.Addr()), openEtcd(t, c), etcdClient(t, c)
	mustSwap(t, direct, "swapped", nil, []byte("old"), time.Minute)
	for _, write := range []func() error{
		func() error {
			return second(s.CompareAndSwap(t.Context(), "swapped", []byte("old"), []byte("new"), time.Minute))
		},
		func() error { return second(s.CompareAndSwap(t.Context(), "created", nil, []byte("new"), time.Minute)) },
		func() error { return s.Delete(t.Context(), "swapped") },
	} {
		// A late answer to something else can cut the connection before the
		// write is sent.
		for before := etcdRevision(t, client); etcdRevision(t, client) == before; {
			waitFor(t, func() bool { _, _, err := s.Get(t.Context(), "any"); return err == nil }) // it is connected
			way.DropAnswers(true)
			wantError(t, "a write whose answer is lost", write())
			way.DropAnswers(false)
			time.Sleep(100 * time.Millisecond)
			if n := etcdRevision(t, client) - before; n > 1 {
				t.Fatalf("%d revisions", n)
			}
		}
	}
	wantValue(t, direct, "created", "new")
	wantValue(t, direct, "swapped", "")
}

func etcdRevision(t *testing.T, client *clientv3.Client) int64 {
	t.Helper()
	now, err := client.Get(t.Context(), "any")
	if err != nil {
		t.Fatal(err)
	}
	return now.Header.Revision
}

func etcdRequests(t *testing.T, c servers.EtcdCluster) {
	s, client := openEtcd(t, c), etcdClient(t, c)
	before := etcdRevision(t, client)
	mustSwap(t, s, "counted", nil, []byte("a"), time.Minute)
	mustSwap(t, s, "counted", []byte("a"), []byte("b"), time.Minute)
	if swapped, err := s.CompareAndSwap(t.Context(), "counted", []byte("a"), []byte("c"), time.Minute); swapped || err != nil {
		t.Error(swapped, err)
	}
	wantValue(t, s, "counted", "b")
	if n := etcdRevision(t, client) - before; n != 2 {
		t.Errorf("two writes made %d revisions", n)
	}
	kvs, err := client.Get(t.Context(), etcdPrefix+"counted")
	if err != nil || len(kvs.Kvs) != 1 || kvs.Kvs[0].Version != 2 || kvs.Kvs[0].Lease != 0 {
		t.Errorf("%v, %v", kvs, err)
	}
}

// What one host has seen expired no other host, however slow its clock is, may
// find or swap.
func etcdExpiredIsGone(t *testing.T, c servers.EtcdCluster) {
	s, client := openEtcd(t, c), etcdClient(t, c)
	for name, look := range map[string]func(key string){
		"Get": func(key string) { wantValue(t, s, key, "") },
		"swap": func(key string) {
			if swapped, err := s.CompareAndSwap(t.Context(), key, []byte("v"), []byte("w"), time.Minute); swapped || err != nil {
				t.Error(swapped, err)
			}
		},
	} {
		key := "expired by " + name
		key = strings.ReplaceAll(key, " ", "-")
		mustSwap(t, s, key, nil, []byte("v"), time.Millisecond)
		time.Sleep(10 * time.Millisecond)
		if got := etcdCount(t, client, key); got != 1 {
			t.Errorf("%s: %d keys before", name, got)
		}
		look(key)
		if got := etcdCount(t, client, key); got != 0 {
			t.Errorf("%s: %d keys after", name, got)
		}
	}
}

func etcdCount(t *testing.T, client *clientv3.Client, begin string) int64 {
	t.Helper()
	found, err := client.Get(t.Context(), etcdPrefix+begin, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		t.Fatal(err)
	}
	return found.Count
}

func etcdDeleteExpired(t *testing.T, c servers.EtcdCluster) {
	const each = 700 // more than a page
	s, client := openEtcd(t, c), etcdClient(t, c)
	if _, err := client.Put(t.Context(), etcdPrefix+"~foreign", "not a record"); err != nil {
		t.Fatal(err)
	}
	fill(t, s, "!gone", each, time.Millisecond)
	fill(t, s, "~gone", each, time.Millisecond)
	fill(t, s, "~kept", each, time.Minute)
	mustSwap(t, s, "~longer", nil, []byte("v"), time.Millisecond*500)
	s.CompareAndSwap(t.Context(), "~longer", []byte("v"), []byte("w"), time.Minute)
	time.Sleep(5 * time.Millisecond)
	removed, err := s.DeleteExpired(t.Context())
	if removed < 2*each || err != nil {
		t.Errorf("%d removed, %v", removed, err)
	}
	for begin, want := range map[string]int64{"!gone": 0, "~gone": 0, "~kept": each, "~foreign": 1} {
		if got := etcdCount(t, client, begin); got != want {
			t.Errorf("%s: %d keys, want %d", begin, got, want)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.DeleteExpired(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// fill makes so many records.
func fill(t *testing.T, s *etcdstore.Store, begin string, n int, ttl time.Duration) {
	t.Helper()
	errs := make(chan error, 16)
	for w := range cap(errs) {
		go func() {
			var err error
			for i := w; i < n && err == nil; i += cap(errs) {
				_, err = s.CompareAndSwap(t.Context(), fmt.Sprint(begin, i), nil, []byte("v"), ttl)
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func etcdDeleteExpiredAtOnce(t *testing.T, c servers.EtcdCluster) {
	const processes, records = 4, 400
	first := openEtcd(t, c)
	first.DeleteExpired(t.Context())
	fill(t, first, "shared", records, time.Millisecond)
	time.Sleep(5 * time.Millisecond)
	counts := make(chan int64, processes)
	for range processes {
		s := openEtcd(t, c)
		go func() {
			n, err := s.DeleteExpired(t.Context())
			if err != nil {
				t.Error(err)
			}
			counts <- n
		}()
	}
	sum := int64(0)
	for range processes {
		sum += <-counts
	}
	if sum != records {
		t.Errorf("%d processes removed %d of %d records", processes, sum, records)
	}
}

func etcdForeignValues(t *testing.T, c servers.EtcdCluster) {
	s, client := openEtcd(t, c), etcdClient(t, c)
	for key, value := range map[string]string{"empty": "", "text": "hello, this is another program", "long": strings.Repeat("\x01", 70_000)} {
		key = "foreign-" + key
		if _, err := client.Put(t.Context(), etcdPrefix+key, value); err != nil {
			t.Fatal(err)
		}
		got, ok, err := s.Get(t.Context(), key)
		if got != nil || ok || err == nil {
			t.Errorf("%s: %q, %v, %v", key, got, ok, err)
		}
		for _, old := range [][]byte{nil, []byte("x"), []byte(value)} {
			if old != nil && len(old) == 0 {
				continue
			}
			if swapped, err := s.CompareAndSwap(t.Context(), key, old, []byte("v"), time.Minute); swapped || err == nil && len(old) <= 1<<16 {
				t.Errorf("swap of %s: %v, %v", key, swapped, err)
			}
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
		wantValue(t, s, key, "")
	}
}

func etcdContexts(t *testing.T, c servers.EtcdCluster) {
	s := openEtcdAt(t, c[2].URL)
	mustSwap(t, s, "k", nil, []byte("v"), time.Minute)
	c[2].Pause()
	for name, call := range map[string]func(ctx context.Context) error{
		"Get": func(ctx context.Context) error { _, _, err := s.Get(ctx, "k"); return err },
		"CompareAndSwap": func(ctx context.Context) error {
			return second(s.CompareAndSwap(ctx, "k", []byte("v"), []byte("w"), time.Minute))
		},
		"Delete":        func(ctx context.Context) error { return s.Delete(ctx, "k") },
		"DeleteExpired": func(ctx context.Context) error { _, err := s.DeleteExpired(ctx); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s with a deadline: %v", name, err)
		}
		cancel()
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, canceled: %v", name, err)
		}
	}
	_, _, err := s.Get(context.Background(), "k")
	wantError(t, "without a deadline", err)
	c[2].Resume()
	waitFor(t, func() bool { _, _, err := s.Get(t.Context(), "k"); return err == nil })
}

// Without a deadline of its own, a request waits for a paused member for a
// second and is served.
func etcdNextMember(t *testing.T, c servers.EtcdCluster) {
	s := openEtcd(t, c)
	mustSwap(t, s, "next", nil, []byte("v"), time.Minute)
	_, followers := c.Leader()
	followers[0].Pause()
	defer followers[0].Resume()
	for range 2 * len(c) {
		wantValue(t, s, "next", "v")
	}
}

func etcdSharesAClient(t *testing.T, c servers.EtcdCluster) {
	client := etcdClient(t, c)
	s, err := etcdstore.New(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	mustSwap(t, s, "shares", nil, bytes.Repeat([]byte("v"), 1<<16), time.Minute)
	s.Close()
	if _, err := client.Get(t.Context(), "any"); err != nil {
		t.Error(err)
	}
}

func etcdClosed(t *testing.T, c servers.EtcdCluster) {
	s := openEtcd(t, c)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	_, _, err := s.Get(t.Context(), "k")
	wantError(t, "Get of a closed store", err)
	wantError(t, "Delete of a closed store", s.Delete(t.Context(), "k"))
}
