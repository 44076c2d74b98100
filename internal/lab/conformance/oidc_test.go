package conformance

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// oidcKey is a key of the OpenID provider, for signing and in its key set.
type oidcKey struct {
	id  string
	key *rsa.PrivateKey
}

func newOIDCKey(t *testing.T, id string) *oidcKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &oidcKey{id, key}
}

func (k *oidcKey) ID() string                                  { return k.id }
func (k *oidcKey) Key() any                                    { return k.key }
func (k *oidcKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }

// publicOIDCKey is an oidcKey in the key set.
type publicOIDCKey struct{ *oidcKey }

func (k publicOIDCKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicOIDCKey) Use() string                        { return "sig" }
func (k publicOIDCKey) Key() any                           { return &k.key.PublicKey }

// rotating is the storage of the provider, with keys that rotate. It signs with the
// newest key and publishes all of them.
type rotating struct {
	*storage.Storage
	mu   sync.Mutex
	keys []*oidcKey
}

func (s *rotating) rotate(key *oidcKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, key)
}

func (s *rotating) SigningKey(context.Context) (op.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[len(s.keys)-1], nil
}

func (s *rotating) KeySet(context.Context) (set []op.Key, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range s.keys {
		set = append(set, publicOIDCKey{key})
	}
	return set, nil
}

// ClientCredentials makes the access tokens JWTs.
func (s *rotating) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	client, err := s.Storage.ClientCredentials(ctx, id, secret)
	return jwtClient{client}, err
}

type jwtClient struct{ op.Client }

func (jwtClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

// oidcProvider is an OpenID provider on a loopback port.
type oidcProvider struct {
	*rotating
	url string
}

func startOIDC(t *testing.T) *oidcProvider {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	p := &oidcProvider{url: "http://" + server.Listener.Addr().String()}
	p.rotating = &rotating{Storage: storage.NewStorage(storage.NewUserStore(p.url + "/"))}
	p.rotate(newOIDCKey(t, "first"))
	provider, err := op.NewProvider(&op.Config{CryptoKey: [32]byte{1}}, p.rotating, op.StaticIssuer(p.url), op.WithAllowInsecure())
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = provider
	server.Start()
	t.Cleanup(server.Close)
	return p
}

// token requests an access token by the grant of client credentials.
func (p *oidcProvider) token() (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"orders"}}
	r, err := http.NewRequest("POST", p.url+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("sid1", "verysecret")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var got struct {
		Token string `json:"access_token"`
	}
	err = json.NewDecoder(response.Body).Decode(&got)
	if err == nil && (response.StatusCode != 200 || strings.Count(got.Token, ".") != 2) {
		err = fmt.Errorf("status %d, token %q", response.StatusCode, got.Token)
	}
	return got.Token, err
}

// cdn is a slow cache in front of a key set. It serves its copy until that is stale, and
// it tells clients to keep the set for an hour.
type cdn struct {
	origin  string
	stale   time.Duration
	delay   time.Duration
	mu      sync.Mutex
	copy    []byte
	at      time.Time
	held    bool        // the next response is the copy, however old it is
	fetches []time.Time // by clients
}

func (c *cdn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fetches = append(c.fetches, time.Now())
	time.Sleep(c.delay)
	held := c.held
	c.held = false
	if c.copy == nil || !held && time.Since(c.at) > c.stale {
		response, err := http.Get(c.origin)
		if err != nil {
			http.Error(w, "bad gateway", http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		c.copy, err = io.ReadAll(response.Body)
		c.at = time.Now()
		if err != nil {
			c.copy = nil
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	w.Header().Set("Age", strconv.Itoa(int(time.Since(c.at)/time.Second)))
	w.Write(c.copy)
}

// hold makes the cache miss a rotation, however slow the test runs.
func (c *cdn) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = true
}

func (c *cdn) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.fetches)
}
