package conformance

import (
	"testing"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/redisstore"
	"github.com/authlatch/auth/store/storetest"
)

var (
	_ store.Store = (*redisstore.Store)(nil)
	_ store.Store = (*redisstore.Near)(nil)
)

func TestNearCacheOfAClusterKeepsTheContract(t *testing.T) {
	url := servers.RedisCluster(t)[0].URL()
	storetest.Run(t, func(t *testing.T) store.Store { return openNear(t, url) })
}

func openRedis(t testing.TB, url string) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openNear(t testing.TB, url string) *redisstore.Near {
	t.Helper()
	n, err := redisstore.OpenNear(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}
