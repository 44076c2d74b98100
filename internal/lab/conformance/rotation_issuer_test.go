package conformance

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/token"
)

// keyLoad is the traffic of the tokens of one key of the issuer.
type keyLoad struct {
	mu       sync.Mutex
	tokens   []string
	served   atomic.Bool // a request was answered with 200
	statuses map[int]int
}

func (k *keyLoad) mint(t *testing.T, p *oidcProvider) {
	text, err := p.token()
	if err != nil {
		t.Error(err)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tokens = append(k.tokens, text)
}

// pick returns the newest token, and an older one every second time.
func (k *keyLoad) pick(n int) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if last := len(k.tokens) - 1; n%2 == 0 {
		return k.tokens[last]
	}
	return k.tokens[n/2%len(k.tokens)]
}

// issuerLoad sends requests to an API at a constant rate, whether it answers or not.
type issuerLoad struct {
	t      *testing.T
	api    string
	client *http.Client
	mu     sync.Mutex
	keys   []*keyLoad
	sent   int
	busy   chan struct{} // bounds the requests under way
	flight sync.WaitGroup
}

// second sends 500 requests in about one second, by turns with tokens of each key.
func (l *issuerLoad) second() {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		<-tick.C
		for range 5 {
			l.mu.Lock()
			k := l.keys[l.sent%len(l.keys)]
			l.mu.Unlock()
			text := k.pick(l.sent / len(l.keys))
			l.sent++
			select {
			case l.busy <- struct{}{}:
				l.flight.Go(func() { l.request(k, text); <-l.busy })
			default: // the machine is slow: the rate drops
			}
		}
	}
}

func (l *issuerLoad) request(k *keyLoad, text string) {
	served := k.served.Load()
	r, err := http.NewRequest("GET", l.api, nil)
	if err != nil {
		l.t.Error(err)
		return
	}
	r.Header.Set("Authorization", "Bearer "+text)
	response, err := l.client.Do(r)
	if err != nil {
		l.t.Error(err)
		return
	}
	response.Body.Close()
	k.mu.Lock()
	k.statuses[response.StatusCode]++
	k.mu.Unlock()
	switch code := response.StatusCode; {
	case code == 200:
		k.served.Store(true)
	case code != 503 || response.Header.Get("Retry-After") == "":
		l.t.Errorf("status %d, %v", code, response.Header)
	case served:
		l.t.Error("a token is 503 after one of the same key was accepted")
	}
}

// add begins the traffic of a new key.
func (l *issuerLoad) add(k *keyLoad) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys = append(l.keys, k)
}

// The issuer rotates twice under 500 requests a second, and signs with a new key at once,
// while a slow CDN serves the old set. No valid token is a 401, a token of a known key is
// always served, and the keys are fetched every 10 seconds at most.
func TestRotationAtARealIssuerIsNever401(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	p := startOIDC(t)
	cache := &cdn{origin: p.url + "/keys", stale: 12 * time.Second, delay: 300 * time.Millisecond}
	edge := httptest.NewServer(cache)
	defer edge.Close()
	keys, err := token.NewRemoteKeySet(edge.URL, token.RemoteConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	start := time.Now()
	verifier, err := token.NewVerifier(token.VerifierConfig{
		Keys: keys, Issuer: p.url, Audience: "sid1",
		Foreign: &token.Foreign{Types: []string{"JWT"}, Require: map[string]string{"jti": ""}},
	})
	if err != nil {
		t.Fatal(err)
	}
	guard := &middleware.Guard{Authenticator: verifier}
	api := httptest.NewServer(guard.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	defer api.Close()
	load := &issuerLoad{
		t: t, api: api.URL, busy: make(chan struct{}, 1000),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}, Timeout: time.Minute},
	}
	defer load.client.CloseIdleConnections()

	const rotations = 2
	for n := range 1 + rotations {
		if n > 0 {
			cache.hold()
			p.rotate(newOIDCKey(t, fmt.Sprint("key-", n)))
		}
		k := &keyLoad{statuses: make(map[int]int)}
		k.mint(t, p)
		load.add(k)
		for rounds := 0; !k.served.Load() && !t.Failed(); rounds++ {
			if rounds > 300 {
				t.Fatal("the new key was never accepted")
			}
			load.second()
			k.mint(t, p)
		}
		load.second() // with every key known
		load.second()
	}
	load.flight.Wait()
	elapsed := time.Since(start)
	for n, k := range load.keys {
		if k.statuses[200] == 0 || (k.statuses[503] == 0) != (n == 0) {
			t.Errorf("tokens of key %d: %v", n, k.statuses)
		}
		t.Logf("tokens of key %d: %v", n, k.statuses)
	}
	if got, limit := cache.count(), 2+int(elapsed/(10*time.Second)); got > limit {
		t.Errorf("%d fetches in %v, at most %d", got, elapsed, limit)
	}
	t.Logf("%d requests in %v, %d fetches", load.sent, elapsed.Round(time.Second), cache.count())
}
