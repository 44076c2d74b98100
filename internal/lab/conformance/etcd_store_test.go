package conformance

import (
	"testing"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/etcdstore"
)

var _ store.Store = (*etcdstore.Store)(nil)

// calm keeps a busy machine from electing leaders while a test counts no errors.
var calm = []string{"--heartbeat-interval", "500", "--election-timeout", "5000"}

func openEtcd(t testing.TB, cluster servers.EtcdCluster) *etcdstore.Store {
	t.Helper()
	return openEtcdAt(t, cluster.URLs()...)
}

func openEtcdAt(t testing.TB, urls ...string) *etcdstore.Store {
	t.Helper()
	s, err := etcdstore.Open(t.Context(), etcdstore.Config{Endpoints: urls})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
