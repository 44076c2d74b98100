package token_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token"
)

// fakeHost publishes a given document, in a synctest bubble.
type fakeHost struct {
	mu       sync.Mutex
	document string
	control  string // Cache-Control
	status   int    // 0 is 200
	err      error
	delay    time.Duration
	age      time.Duration // Age
	body     io.Reader     // in the place of the document
	fetches  int
	last     *http.Request
}

func (h *fakeHost) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fetches++
	h.last = r
	if h.delay > 0 {
		timer := time.NewTimer(h.delay)
		h.mu.Unlock()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
		h.mu.Lock()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if h.err != nil {
		return nil, h.err
	}
	response := &http.Response{StatusCode: max(h.status, 200), Header: http.Header{}, Request: r}
	if h.status != 0 {
		response.StatusCode = h.status
		response.Header.Set("Location", "http://169.254.169.254/")
	}
	if h.control != "" {
		response.Header.Set("Cache-Control", h.control)
	}
	if h.age > 0 {
		response.Header.Set("Age", strconv.Itoa(int(h.age/time.Second)))
	}
	body := h.body
	if body == nil {
		body = strings.NewReader(h.document)
	}
	response.Body = io.NopCloser(body)
	return response, nil
}

func (h *fakeHost) set(change func(*fakeHost)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h)
}

func (h *fakeHost) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fetches
}

// publishes is the JWK Set of some minters.
func publishes(minters ...*minter) string {
	var all []string
	for _, m := range minters {
		x := b64.EncodeToString(m.signer.Public().(ed25519.PublicKey))
		all = append(all, `{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"`+m.kid+`","x":"`+x+`"}`)
	}
	return `{"keys":[` + strings.Join(all, ",") + `]}`
}

// remote runs a test in a bubble with a host that publishes one minter's key,
// unless it is set otherwise before its first response.
func remote(t *testing.T, before func(*fakeHost), f func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMinter(t)
		h := &fakeHost{document: publishes(m)}
		before(h)
		keys, err := token.NewRemoteKeySetVia("https://issuer.test/jwks", token.RemoteConfig{}, h)
		must(t, err)
		defer keys.Close()
		f(t, m, h, keys, remoteVerifier(t, keys))
	})
}

func asIs(*fakeHost) {}

func remoteVerifier(t testing.TB, keys *token.RemoteKeySet) *token.Verifier {
	t.Helper()
	v, err := token.NewVerifier(token.VerifierConfig{Keys: keys, Issuer: issuerName, Audience: audienceName})
	must(t, err)
	return v
}

// verdict verifies a token made now.
func verdict(t *testing.T, v *token.Verifier, m *minter) string {
	t.Helper()
	got, err := v.Verify(t.Context(), m.mint(claims()))
	if (got == nil) != (err != nil) {
		t.Errorf("%v beside error %v", got, err)
	}
	return outcome(err)
}

func TestFirstUseWaitsForOneFetch(t *testing.T) {
	remote(t, func(h *fakeHost) { h.delay = 3 * time.Second }, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		var wg sync.WaitGroup
		start := time.Now()
		for range 100 {
			wg.Go(func() {
				if got := verdict(t, v, m); got != "ok" {
					t.Error(got)
				}
			})
		}
		wg.Wait()
		if h.count() != 1 || time.Since(start) > 3*time.Second {
			t.Errorf("%d fetches in %v", h.count(), time.Since(start))
		}
	})
}

func TestWaitIsBoundedByTheContext(t *testing.T) {
	remote(t, func(h *fakeHost) { h.delay = 5 * time.Second }, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := v.Verify(ctx, m.mint(claims()))
		if outcome(err) != "unknown" || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		// The fetch goes on for the others.
		if got := verdict(t, v, m); got != "ok" || h.count() != 1 {
			t.Errorf("%s, %d fetches", got, h.count())
		}
	})
}

func TestReadinessIsVisible(t *testing.T) {
	remote(t, func(h *fakeHost) { h.err = errors.New("no route") }, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		if keys.Ready() == nil {
			t.Error("ready before the first fetch")
		}
		synctest.Wait()
		if err := keys.Ready(); err == nil || !strings.Contains(err.Error(), "no route") {
			t.Errorf("error %v", err)
		}
		h.set(func(h *fakeHost) { h.err = nil })
		time.Sleep(2 * time.Second)
		if err := keys.Ready(); err != nil {
			t.Error(err)
		}
		keys.Close()
		if keys.Ready() == nil || verdict(t, v, m) != "unknown" {
			t.Error("ready after Close")
		}
	})
}

func TestKeysAreFetchedAsOftenAsTheHostSays(t *testing.T) {
	for _, c := range []struct {
		control string
		want    time.Duration
	}{
		{"", 5 * time.Minute},
		{"public, max-age=600", 10 * time.Minute},
		{"max-age=600, must-revalidate", 10 * time.Minute},
		{`Max-Age="600"`, 10 * time.Minute},
		{"max-age=0", time.Minute},
		{"max-age=1", time.Minute},
		{"max-age=-1", time.Minute},
		{"max-age=x", time.Minute},
		{"max-age=99999999999999999999", time.Minute},
		{"max-age=2000000000", time.Hour},
		{"no-cache", time.Minute},
		{"no-store, max-age=600", time.Minute},
		{"immutable", 5 * time.Minute},
	} {
		t.Run(c.control, func(t *testing.T) {
			remote(t, func(h *fakeHost) { h.control = c.control }, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
				synctest.Wait()
				time.Sleep(c.want*9/10 - 1) // jitter takes a tenth at most
				synctest.Wait()
				early := h.count()
				time.Sleep(c.want/10 + 1)
				synctest.Wait()
				if early != 1 || h.count() != 2 {
					t.Errorf("%d fetches before, %d in all", early, h.count())
				}
			})
		})
	}
}

func TestRemovedKeyStopsAtTheNextFetch(t *testing.T) {
	remote(t, asIs, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		other := newMinter(t)
		synctest.Wait()
		h.set(func(h *fakeHost) { h.document = publishes(m, other) })
		time.Sleep(5 * time.Minute)
		text, theirs := m.mint(claims()), other.mint(claims())
		hits(t, v, text)
		hits(t, v, theirs)
		h.set(func(h *fakeHost) { h.document = publishes(other) })
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		refuses(t, v, text)
		if !hits(t, v, theirs) {
			t.Error("the key that stays has lost what it verified")
		}
	})
}

// The same kid with another key is another key.
func TestReplacedKeyIsAnother(t *testing.T) {
	remote(t, asIs, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		text := m.mint(claims())
		hits(t, v, text)
		other := newMinter(t)
		other.kid = m.kid
		h.set(func(h *fakeHost) { h.document = publishes(other) })
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		refuses(t, v, text)
		if got := verdict(t, v, other); got != "ok" {
			t.Error(got)
		}
	})
}

func TestNewKeyIsLookedForAtOnce(t *testing.T) {
	remote(t, asIs, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		verdict(t, v, m)
		time.Sleep(time.Minute)
		next := newMinter(t)
		h.set(func(h *fakeHost) { h.document = publishes(m, next); h.delay = time.Second })
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if got := verdict(t, v, next); got != "ok" {
					t.Error(got)
				}
			})
			wg.Go(func() { // meanwhile the others are not delayed
				start := time.Now()
				if got := verdict(t, v, m); got != "ok" || time.Since(start) != 0 {
					t.Errorf("%s after %v", got, time.Since(start))
				}
			})
		}
		wg.Wait()
		if h.count() != 2 {
			t.Errorf("%d fetches", h.count())
		}
	})
}

func TestUnknownKeysMakeFewFetches(t *testing.T) {
	remote(t, func(h *fakeHost) { h.control = "max-age=3600" }, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		verdict(t, v, m)
		const seconds = 100
		var text string
		for i := range 10_000 {
			if i%100 == 0 {
				text = m.mint(claims())
			}
			header := fmt.Sprintf(`{"alg":"EdDSA","typ":"at+jwt","kid":"kid-%d"}`, i)
			if _, err := v.Verify(t.Context(), b64.EncodeToString([]byte(header))+text[strings.IndexByte(text, '.'):]); outcome(err) == "ok" {
				t.Fatal(err)
			}
			if i%100 == 99 {
				time.Sleep(seconds * time.Second / 100)
			}
		}
		if n := h.count(); n < 3 || n > 1+seconds/10+1 {
			t.Errorf("%d fetches in %d seconds", n, seconds)
		}
	})
}

// A wrong signature, or any other error, does not trigger a fetch.
func TestOnlyAnUnknownKidMakesAFetch(t *testing.T) {
	remote(t, asIs, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		text := m.mint(claims())
		hits(t, v, text)
		time.Sleep(time.Minute)
		forger := newMinter(t)
		forger.kid = m.kid
		header := forger.header()
		header["kid"], header["typ"] = "unknown", "JWT"
		for _, bad := range []string{"x", text[:len(text)-6] + "AAAAAA", forger.mint(claims()), forger.mintWith(header, claims())} {
			refuses(t, v, bad)
		}
		if h.count() != 1 {
			t.Errorf("%d fetches", h.count())
		}
	})
}

func TestLastGoodKeysServeThroughAnOutage(t *testing.T) {
	remote(t, asIs, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		verdict(t, v, m)
		h.set(func(h *fakeHost) { h.status = 500 })
		start := time.Now()
		for time.Since(start) < 6*time.Hour-10*time.Minute {
			if got := verdict(t, v, m); got != "ok" || keys.Ready() != nil {
				t.Fatalf("%s, %v after %v", got, keys.Ready(), time.Since(start))
			}
			time.Sleep(10 * time.Minute)
		}
		time.Sleep(11 * time.Minute)
		text := m.mint(claims())
		if got := verdict(t, v, m); got != "unknown" || keys.Ready() == nil {
			t.Errorf("%s, %v after %v", got, keys.Ready(), time.Since(start))
		}
		if n := h.count(); n < 300 || n > 450 {
			t.Errorf("%d fetches in 6 hours of outage", n)
		}
		h.set(func(h *fakeHost) { h.status = 0 })
		time.Sleep(time.Minute)
		if _, err := v.Verify(t.Context(), text); err != nil || keys.Ready() != nil {
			t.Errorf("%v, %v after the outage", err, keys.Ready())
		}
	})
}

// What the cache knows does not outlive the keys.
func TestStaleKeysEndKnownTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMinter(t)
		h := &fakeHost{document: publishes(m)}
		keys, err := token.NewRemoteKeySetVia("https://issuer.test/jwks", token.RemoteConfig{MaxStale: 5 * time.Minute}, h)
		must(t, err)
		defer keys.Close()
		v := remoteVerifier(t, keys)
		text := m.mint(claims())
		hits(t, v, text)
		h.set(func(h *fakeHost) { h.err = errors.New("no route") })
		time.Sleep(5*time.Minute - 1)
		if !hits(t, v, text) {
			t.Error("a token is not known before the keys are stale")
		}
		time.Sleep(time.Nanosecond)
		if _, err := v.Verify(t.Context(), text); outcome(err) != "unknown" {
			t.Errorf("error %v", err)
		}
	})
}

// However long a host says that its keys are fresh, they are fetched again
// before they are stale.
func TestKeysAreFetchedBeforeTheyAreStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMinter(t)
		h := &fakeHost{document: publishes(m), control: "max-age=3600"}
		keys, err := token.NewRemoteKeySetVia("https://issuer.test/jwks", token.RemoteConfig{MaxStale: 5 * time.Minute}, h)
		must(t, err)
		defer keys.Close()
		synctest.Wait()
		for range 120 {
			time.Sleep(time.Minute)
			synctest.Wait()
			if err := keys.Ready(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// During an outage, a token with a new kid is neither accepted nor refused.
func TestUnknownKeyDuringAnOutageIsNeitherYesNorNo(t *testing.T) {
	remote(t, asIs, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		verdict(t, v, m)
		h.set(func(h *fakeHost) { h.err = errors.New("no route") })
		time.Sleep(10 * time.Minute)
		for range 3 {
			if got := verdict(t, v, newMinter(t)); got != "unknown" {
				t.Error(got)
			}
		}
		if got := verdict(t, v, m); got != "ok" {
			t.Error(got)
		}
	})
}

// endless is a body that never ends.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	e.read.Add(int64(len(b)))
	return len(b), nil
}

// slow is a body that comes one byte in a second.
type slow struct{ ctx context.Context }

func (s slow) Read(b []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		b[0] = ' '
		return 1, nil
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}

func TestHostsThatMisbehaveChangeNothing(t *testing.T) {
	secret := `{"kty":"oct","kid":"s","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`
	for _, c := range []struct {
		name   string
		change func(*fakeHost, *minter)
	}{
		{"no connection", func(h *fakeHost, _ *minter) { h.err = errors.New("refused") }},
		{"404", func(h *fakeHost, _ *minter) { h.status = 404 }},
		{"500", func(h *fakeHost, _ *minter) { h.status = 500 }},
		{"203 with other keys", func(h *fakeHost, m *minter) { h.status, h.document = 203, publishes(newMinter(m.t)) }},
		{"206 with other keys", func(h *fakeHost, m *minter) { h.status, h.document = 206, publishes(newMinter(m.t)) }},
		{"a redirect with other keys", func(h *fakeHost, m *minter) { h.status, h.document = 302, publishes(newMinter(m.t)) }},
		{"a permanent redirect", func(h *fakeHost, _ *minter) { h.status = 308 }},
		{"nothing", func(h *fakeHost, _ *minter) { h.document = "" }},
		{"a page", func(h *fakeHost, _ *minter) { h.document = "<html>" }},
		{"another object", func(h *fakeHost, _ *minter) { h.document = `{"issuer":"x"}` }},
		{"an array", func(h *fakeHost, _ *minter) { h.document = "[]" }},
		{"keys that are none", func(h *fakeHost, _ *minter) { h.document = `{"keys":1}` }},
		{"keys twice", func(h *fakeHost, m *minter) { h.document = `{"keys":[],` + publishes(m)[1:] }},
		{"a secret", func(h *fakeHost, m *minter) { h.document = `{"keys":[` + secret + `]}` }},
		{"a secret beside a key", func(h *fakeHost, m *minter) { h.document = strings.Replace(publishes(m), "[", "["+secret+",", 1) }},
		{"a private key", func(h *fakeHost, m *minter) {
			h.document = strings.Replace(publishes(newMinter(m.t)), `"kty"`, `"d":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","kty"`, 1)
		}},
		{"a kid twice", func(h *fakeHost, m *minter) {
			other := newMinter(m.t)
			other.kid = m.kid
			h.document = publishes(m, other)
		}},
		{"101 keys", func(h *fakeHost, m *minter) {
			var all []*minter
			for i := range 101 {
				all = append(all, &minter{signer: m.signer, kid: fmt.Sprint(i)})
			}
			h.document = publishes(all...)
		}},
		{"no end", func(h *fakeHost, _ *minter) { h.body = new(endless) }},
		{"a mebibyte of space", func(h *fakeHost, m *minter) { h.document = strings.Repeat(" ", 1<<20) + publishes(m) }},
		{"no answer", func(h *fakeHost, _ *minter) { h.delay = time.Hour }},
	} {
		t.Run(c.name, func(t *testing.T) {
			remote(t, asIs, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
				text := m.mint(claims())
				hits(t, v, text)
				h.set(func(h *fakeHost) { c.change(h, m) })
				time.Sleep(6 * time.Minute)
				synctest.Wait()
				if !hits(t, v, text) || h.count() < 2 {
					t.Errorf("%d fetches, %+v", h.count(), v.CacheStats())
				}
				if e, ok := h.body.(*endless); ok && e.read.Load() > int64(h.count())*(2<<20) {
					t.Errorf("%d bytes read in %d fetches", e.read.Load(), h.count())
				}
			})
		})
	}
}

// A whole fetch is bounded, the body too.
func TestFetchTakesTenSecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMinter(t)
		for name, transport := range map[string]host{
			"no answer": func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			},
			"a slow body": func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Body: io.NopCloser(slow{r.Context()})}, nil
			},
		} {
			keys, err := token.NewRemoteKeySetVia("https://issuer.test/jwks", token.RemoteConfig{}, transport)
			must(t, err)
			start := time.Now()
			if got := verdict(t, remoteVerifier(t, keys), m); got != "unknown" || time.Since(start) != 10*time.Second {
				t.Errorf("%s: %s after %v", name, got, time.Since(start))
			}
			must(t, keys.Close())
		}
	})
}

func TestUnknownKindsOfKeysAreLeftOutWithAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMinter(t)
		document := strings.Replace(publishes(m), "[", `[{"kty":"AKP","alg":"ML-DSA-44","kid":"pq","pub":"AA"},{"kty":"EC","crv":"P-256","kid":"off","x":"AA","y":"AA"},`, 1)
		var reasons []string
		keys, err := token.NewRemoteKeySetVia("https://issuer.test/jwks", token.RemoteConfig{
			Events: func(_ context.Context, e auth.Event) { reasons = append(reasons, string(e.Kind)+" "+e.Reason) },
		}, serving(document))
		must(t, err)
		if got := verdict(t, remoteVerifier(t, keys), m); got != "ok" {
			t.Error(got)
		}
		must(t, keys.Close()) // so that no event is to come
		if got := strings.Join(reasons, ","); got != "fault key left out,fault key left out" {
			t.Error(got)
		}
	})
}

func TestFetchSendsNothingButItself(t *testing.T) {
	remote(t, asIs, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		verdict(t, v, m)
		if h.last.Method != "GET" || h.last.URL.String() != "https://issuer.test/jwks" || h.last.Body != nil {
			t.Errorf("%s %s", h.last.Method, h.last.URL)
		}
		for name := range h.last.Header {
			if name != "Accept" && (name != "Accept-Encoding" || h.last.Header.Get(name) != "identity") {
				t.Errorf("%s is sent", name)
			}
		}
	})
}

func TestCloseReleasesWaiters(t *testing.T) {
	remote(t, func(h *fakeHost) { h.delay = time.Hour }, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		var wg sync.WaitGroup
		start := time.Now()
		for range 10 {
			wg.Go(func() {
				if got := verdict(t, v, m); got != "unknown" || time.Since(start) != time.Second {
					t.Errorf("%s after %v", got, time.Since(start))
				}
			})
		}
		time.Sleep(time.Second)
		must(t, keys.Close())
		must(t, keys.Close())
		wg.Wait()
	})
}

// A request at the moment of Close is released.
func TestCloseAndAskAtOnce(t *testing.T) {
	for range 20 {
		remote(t, asIs, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
			verdict(t, v, m)
			stranger := newMinter(t)
			time.Sleep(time.Minute)
			var wg sync.WaitGroup
			wg.Go(func() {
				if got := verdict(t, v, stranger); got == "ok" {
					t.Error(got)
				}
			})
			wg.Go(func() { keys.Close() })
			wg.Wait()
		})
	}
}
