package bothmodes

import (
	"context"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/onetime"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// keyed notes the keys that it is asked for.
type keyed struct {
	store.Memory
	mu   sync.Mutex // records end concurrently
	keys map[string]bool
}

func (k *keyed) note(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[key] = true
}

func (k *keyed) Get(ctx context.Context, key string) ([]byte, bool, error) {
	k.note(key)
	return k.Memory.Get(ctx, key)
}

func (k *keyed) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	k.note(key)
	return k.Memory.CompareAndSwap(ctx, key, old, new, ttl)
}

func (k *keyed) Delete(ctx context.Context, key string) error {
	k.note(key)
	return k.Memory.Delete(ctx, key)
}

// With any names of subjects, namespaces and clients, the keys of a store are digests:
// 43 characters of base64url.
//
// ASVS 5.0, 1.3.3 and 1.3.9.
func TestKeysOfAStoreAreDigests(t *testing.T) {
	digest := regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	keys, err := token.NewKeySet(token.HS256)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"alice", "a b", "x\r\nSET admin 1\r\n", "{slot}", "*", "../../etc/passwd", "';DROP TABLE auth_store--", "\x00", "é", strings.Repeat("k", 255), "authlatch:",
	} {
		s := &keyed{keys: make(map[string]bool)}
		m, err := session.New(session.Config{Store: s, Namespace: name})
		if err != nil {
			t.Fatal(err)
		}
		i, err := token.NewIssuer(token.IssuerConfig{Keys: keys, Store: s, Namespace: name, Issuer: name, Audience: name, ClientID: name})
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := onetime.New(onetime.Config{Store: s, Namespace: name})
		if err != nil {
			t.Fatal(err)
		}
		id := auth.Identity{Subject: name}
		w := httptest.NewRecorder()
		if err := m.Login(w, httptest.NewRequest("POST", "https://app.example/", nil), id); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "https://app.example/", nil)
		r.Header.Set("Cookie", w.Result().Cookies()[0].Name+"="+w.Result().Cookies()[0].Value)
		if _, err := m.Authenticate(r); err != nil {
			t.Fatal(err)
		}
		issued, err := i.Issue(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := i.Refresh(t.Context(), issued.RefreshToken, strings.Repeat("a", 22)); err != nil {
			t.Fatal(err)
		}
		once, err := tokens.Issue(t.Context(), name, name, time.Minute, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.Redeem(t.Context(), name, once, name); err != nil {
			t.Fatal(err)
		}
		for _, credential := range []string{name, "__Host-Http-session=" + name} {
			r.Header.Set("Cookie", "__Host-Http-session="+credential)
			m.Authenticate(r)
			i.Refresh(t.Context(), "authlatch_refresh_"+credential, strings.Repeat("a", 22))
			tokens.Redeem(t.Context(), name, credential)
		}
		if err := m.LogoutAll(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if len(s.keys) != 4 { // a session, a family, their list and a single-use token
			t.Errorf("%q: %d keys", name, len(s.keys))
		}
		for key := range s.keys {
			if !digest.MatchString(key) {
				t.Errorf("%q leads to the key %q", name, key)
			}
		}
	}
}
