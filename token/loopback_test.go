package token_test

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token"
)

// These tests use the network of this machine, where the others use a fake.

// ASVS 5.0, 1.3.6 and 9.1.3.
func TestOnlyHTTPSAndLoopbackAreFetchedFrom(t *testing.T) {
	for _, address := range []string{
		"", "jwks", "/jwks", "http://issuer.test/jwks", "http://10.0.0.1/jwks", "http://127.0.0.1.evil.test/", "http://localhost.evil.test/",
		"HTTP://issuer.test/", "ftp://127.0.0.1/", "file:///etc/passwd", "https:", "https://", "https:issuer.test", "//127.0.0.1/",
		"https://user:secret@issuer.test/", "http://[::2]/", "https://issuer.test/%zz", "data:,{}",
	} {
		keys, err := token.NewRemoteKeySet(address, token.RemoteConfig{})
		if err == nil || keys != nil {
			t.Errorf("%q is accepted", address)
			keys.Close()
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error discloses a secret: %v", err)
		}
	}
	for _, c := range []token.RemoteConfig{{MaxStale: -1}, {MaxStale: 5*time.Minute - 1}} {
		if keys, err := token.NewRemoteKeySet("https://issuer.test/", c); err == nil || keys != nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

// One server issues, another verifies, and they share an address alone.
func TestPublishedKeysVerifyElsewhere(t *testing.T) {
	for _, alg := range []string{"EdDSA", "ES256"} {
		m := newMinter(t)
		if alg == "ES256" {
			m = newES256Minter(t)
		}
		server := httptest.NewServer(m.keys.JWKSHandler())
		defer server.Close()
		keys, err := token.NewRemoteKeySet(server.URL, token.RemoteConfig{})
		must(t, err)
		defer keys.Close()
		v := remoteVerifier(t, keys)
		if got := verdict(t, v, m); got != "ok" {
			t.Error(got)
		}
		minuteAgo := time.Now().Unix() - 60 // so the set is newer
		refuses(t, v, newMinter(t).mint(with(map[string]any{"iat": minuteAgo, "auth_time": minuteAgo})))
	}
}

func TestHMACKeysVerifyNowhereElse(t *testing.T) {
	secret, err := token.NewKeySet(token.HS256)
	must(t, err)
	server := httptest.NewServer(secret.JWKSHandler())
	defer server.Close()
	keys, err := token.NewRemoteKeySet(server.URL, token.RemoteConfig{})
	must(t, err)
	defer keys.Close()
	if got := verdict(t, remoteVerifier(t, keys), newMinter(t)); got != "unknown" {
		t.Error(got)
	}
}

// ASVS 5.0, 1.3.6 and 15.3.2.
func TestRedirectsAndCookiesAreNotFollowed(t *testing.T) {
	m := newMinter(t)
	var trapped atomic.Int32
	trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		trapped.Add(1)
		m.keys.JWKSHandler().ServeHTTP(w, r)
	}))
	defer trap.Close()
	jar, err := cookiejar.New(nil)
	must(t, err)
	for name, client := range map[string]*http.Client{"of its own": nil, "that keeps cookies": {Jar: jar}} {
		cookies := make(chan int, 10)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case cookies <- len(r.Cookies()):
			default:
			}
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b", Path: "/"})
			http.Redirect(w, r, trap.URL, http.StatusFound)
		}))
		defer server.Close()
		keys, err := token.NewRemoteKeySet(server.URL, token.RemoteConfig{Client: client})
		must(t, err)
		defer keys.Close()
		if got := verdict(t, remoteVerifier(t, keys), m); got != "unknown" || trapped.Load() != 0 {
			t.Errorf("%s: %s, %d requests to where it was sent", name, got, trapped.Load())
		}
		for range 2 { // the second is the retry, after the cookie was set
			if n := <-cookies; n != 0 {
				t.Errorf("%s: %d cookies are sent back", name, n)
			}
		}
	}
}

// 100 MB are not read, and a compressed document is not blown up.
func TestHugeDocumentsAreNotRead(t *testing.T) {
	chunk := []byte(strings.Repeat(" ", 1<<16))
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Error("compression is asked for")
		}
		for range 100 << 20 / len(chunk) {
			n, err := w.Write(chunk)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	keys, err := token.NewRemoteKeySet(server.URL, token.RemoteConfig{})
	must(t, err)
	defer keys.Close()
	if got := verdict(t, remoteVerifier(t, keys), newMinter(t)); got != "unknown" || sent.Load() > 50<<20 {
		t.Errorf("%s, %d bytes sent", got, sent.Load())
	}
}

func TestClosedKeySetsLeaveNoGoroutines(t *testing.T) {
	m := newMinter(t)
	server := httptest.NewServer(m.keys.JWKSHandler())
	defer server.Close()
	before := runtime.NumGoroutine()
	for i := range 50 {
		keys, err := token.NewRemoteKeySet(server.URL, token.RemoteConfig{})
		must(t, err)
		if i%2 == 0 { // some are closed in the middle of a fetch
			verdict(t, remoteVerifier(t, keys), m)
		}
		must(t, keys.Close())
	}
	for start := time.Now(); time.Since(start) < time.Minute; {
		if runtime.NumGoroutine() <= before+2 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

func TestClosedKeySetIsNoVerdict(t *testing.T) {
	m := newMinter(t)
	server := httptest.NewServer(m.keys.JWKSHandler())
	defer server.Close()
	keys, err := token.NewRemoteKeySet(server.URL, token.RemoteConfig{})
	must(t, err)
	v, text := remoteVerifier(t, keys), m.mint(claims())
	hits(t, v, text)
	must(t, keys.Close())
	if _, err := v.Verify(t.Context(), text); errors.Is(err, auth.ErrUnauthenticated) || err == nil {
		t.Errorf("error %v", err)
	}
}
