package token_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// dump keeps a copy of every write.
type dump struct {
	store.Memory
	mu     sync.Mutex
	values map[string][][]byte
}

func (d *dump) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.values == nil {
		d.values = make(map[string][][]byte)
	}
	d.values[key] = append(d.values[key], bytes.Clone(new))
	return d.Memory.CompareAndSwap(ctx, key, old, new, ttl)
}

// ASVS 5.0, 6.5.2.
// Nothing that a store holds, or has held, refreshes or
// verifies, in any form; nor does the store together with
// half of what a MAC is made from.
func TestI12NothingInTheStoreGrantsAccess(t *testing.T) {
	d, keys := &dump{}, cheapKeys(t)
	i := newIssuer(t, over(d, keys), func(c *token.IssuerConfig) { c.NativeClients = true; c.AccessCookie = cookie.New("access") })
	b := loggedIn(t, i, "alice")
	first := b.refresh
	b.post(i.RefreshHandler())
	native := issued(t, i)
	texts := []string{b.refresh, b.access, first, native.RefreshToken, native.AccessToken}
	var candidates []string
	add := func(part []byte) {
		candidates = append(candidates, string(part), hex.EncodeToString(part), base64.StdEncoding.EncodeToString(part), b64.EncodeToString(part),
			base64.URLEncoding.EncodeToString(part), "authlatch_refresh_"+b64.EncodeToString(part))
	}
	families := 0
	for key, values := range d.values {
		add([]byte(key))
		for _, raw := range values {
			add(raw)
			for size := 8; size <= 64; size += 8 {
				for at := 0; at+size <= len(raw); at++ {
					add(raw[at : at+size])
				}
			}
			for at := 0; at+34 <= len(raw); at++ { // the size of a token's body
				part := append([]byte{1}, raw[at:at+33]...)
				candidates = append(candidates, respell("authlatch_refresh_"+b64.EncodeToString(append(part, 0, 0, 0, 0)), func([]byte) {}))
			}
			if _, _, ok := token.FamilyGeneration(raw); ok {
				families++
				salt := [16]byte(token.FamilySalt(raw))
				for _, text := range texts[:1] {
					id := seedOf(text)
					candidates = append(candidates,
						token.ForgeRefreshToken(nil, id, salt, 1),                                 // the salt without a secret
						token.ForgeRefreshToken(salt[:], id, salt, 1),                             // the salt as the secret
						token.ForgeRefreshToken([]byte(key), id, salt, 1),                         // the key as the secret
						token.ForgeRefreshToken(token.RefreshSecrets(keys)[0], id, [16]byte{}, 1)) // a secret without the salt
				}
			}
			for _, secret := range texts {
				if bytes.Contains(raw, []byte(secret)) {
					t.Error("a token is in the store")
				}
				for _, s := range token.RefreshSecrets(keys) {
					if bytes.Contains(raw, s) {
						t.Error("a secret is in the store")
					}
				}
			}
			for _, text := range texts[:1] {
				respell(text, func(b []byte) {
					if bytes.Contains(raw, b[18:]) || bytes.Contains(raw, b[1:17]) {
						t.Error("the MAC, or the name of a family, is in the store")
					}
				})
			}
		}
	}
	if families < 3 || len(candidates) < 10_000 {
		t.Fatalf("%d families, %d candidates", families, len(candidates))
	}
	for _, text := range candidates {
		if _, err := i.Refresh(t.Context(), text, newAttempt()); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Fatalf("%q: %v", text, err)
		}
		if _, err := i.Verify(t.Context(), text); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Fatalf("%q verifies: %v", text, err)
		}
	}
	wants(t, i, b.refresh, valid)
	wants(t, i, native.RefreshToken, valid)
}

// Who has both halves makes a token: so the test above looks for the right
// thing.
func TestStoreAndSecretTogetherMakeAToken(t *testing.T) {
	s, keys := &store.Memory{}, cheapKeys(t)
	i := newIssuer(t, over(s, keys))
	text := issued(t, i).RefreshToken
	raw, _, _ := s.Get(t.Context(), familyKeyOf(text))
	if forged := token.ForgeRefreshToken(token.BoundSecret(token.RefreshSecrets(keys)[0], issuerName, audienceName, "app"), seedOf(text), [16]byte(token.FamilySalt(raw)), 0); forged != text {
		t.Error("it is another token")
	}
}

// ASVS 5.0, 16.2.5.
// No event, error or response contains a secret, in any case, and each case is reported
// by an event of its kind.
func TestNoSecretIsReported(t *testing.T) {
	inBubble(func(t *testing.T) {
		j, d, keys := &journal{}, &dump{}, cheapKeys(t)
		i := newIssuer(t, over(d, keys), reportTo(j), func(c *token.IssuerConfig) { c.NativeClients = true })
		var outputs strings.Builder
		write := func(err error) { fmt.Fprintf(&outputs, "%v %+v %#v\n", err, err, err) }
		var secrets []string
		var kinds []auth.EventKind
		note := func() {
			for _, e := range j.take() {
				fmt.Fprintf(&outputs, "%+v %#v\n", e, e)
				write(e.Err)
				kinds = append(kinds, e.Kind)
				if e.Source != "token" || e.Time.IsZero() || e.Time.Location() != time.UTC {
					t.Errorf("event %+v", e)
				}
			}
		}
		refresh := func(text, attempt string) token.Tokens {
			tokens, err := i.Refresh(t.Context(), text, attempt)
			secrets = append(secrets, text, attempt, tokens.RefreshToken, tokens.AccessToken)
			write(err)
			note()
			return tokens
		}
		first := issued(t, i)
		secrets = append(secrets, first.AccessToken)
		attempt := newAttempt()
		second := refresh(first.RefreshToken, attempt) // renewed
		time.Sleep(gracePeriod + time.Second)
		refresh(first.RefreshToken, attempt) // recovered
		refresh(respell(second.RefreshToken, func(b []byte) { b[25]++ }), newAttempt())
		refresh("malformed-"+second.RefreshToken, newAttempt())
		refresh(second.RefreshToken, "short attempt, secret too")
		time.Sleep(gracePeriod + time.Second)
		third := refresh(second.RefreshToken, newAttempt())
		key := familyKeyOf(third.RefreshToken)
		now, _, _ := d.Get(t.Context(), key)
		lost := d.values[key][0]
		d.CompareAndSwap(t.Context(), key, now, lost, time.Hour)
		refresh(third.RefreshToken, newAttempt()) // healed
		refresh(first.RefreshToken, newAttempt()) // reused
		b := loggedIn(t, i, "alice")
		secrets = append(secrets, b.refresh)
		answers := []*httptest.ResponseRecorder{b.post(i.LogoutHandler()), b.post(i.RefreshHandler()), native(i.RefreshHandler(), "application/json", `{"refresh_token":"`+first.RefreshToken+`"}`)}
		note()
		last := issued(t, i)
		must(t, i.LogoutAll(t.Context(), "alice"))
		write(i.Revoke(t.Context(), last.RefreshToken))
		expired := issued(t, i)
		time.Sleep(4 * time.Hour)
		refresh(expired.RefreshToken, newAttempt())
		corrupt := issued(t, i)
		at := familyKeyOf(corrupt.RefreshToken)
		now, _, _ = d.Get(t.Context(), at)
		d.CompareAndSwap(t.Context(), at, now, now[:40], time.Hour)
		refresh(corrupt.RefreshToken, newAttempt()) // fault
		b.header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
		answers = append(answers, b.post(i.RefreshHandler()))
		note()
		for _, w := range answers {
			fmt.Fprintf(&outputs, "%v %s\n", w.Header(), w.Body)
		}
		for _, want := range []auth.EventKind{
			auth.EventLogin, auth.EventLogout, auth.EventRevoked, auth.EventExpired, auth.EventRejected,
			auth.EventRenewed, auth.EventReuse, auth.EventRecovered, auth.EventHealed, auth.EventFault,
		} {
			if !slices.Contains(kinds, want) {
				t.Errorf("no event of kind %q", want)
			}
		}
		for _, raw := range token.RefreshSecrets(keys) {
			secrets = append(secrets, string(raw), b64.EncodeToString(raw), hex.EncodeToString(raw))
		}
		for _, values := range d.values {
			for _, raw := range values {
				if salt := token.FamilySalt(raw); salt != nil {
					secrets = append(secrets, string(salt), b64.EncodeToString(salt), hex.EncodeToString(salt), fmt.Sprint(salt))
				}
			}
		}
		for _, text := range slices.Clone(secrets) {
			if strings.HasPrefix(text, "authlatch_refresh_") {
				id := seedOf(text)
				secrets = append(secrets, b64.EncodeToString(id[:]))
				respell(text, func(b []byte) {
					secrets = append(secrets, b64.EncodeToString(b[len(b)-16:]), hex.EncodeToString(b[len(b)-16:]))
				})
			}
		}
		for _, secret := range secrets {
			if secret != "" && strings.Contains(outputs.String(), secret) {
				t.Errorf("%q is disclosed", secret)
			}
		}
	})(t)
}

// ASVS 5.0, 16.3.3 and 16.4.1.
// The reuse event has what an owner asks for: who was here before, and who is
// now.
func TestReuseIsReportedWithItsEvidence(t *testing.T) {
	inBubble(func(t *testing.T) {
		j := &journal{}
		i := newIssuer(t, reportTo(j), func(c *token.IssuerConfig) {
			c.Device = func(r *http.Request) (string, string) { return r.UserAgent(), "192.0.2.7" }
		})
		b := loggedIn(t, i, "alice")
		thief := *b
		b.userAgent, thief.userAgent = "Owner's", "Thief's\r\nforged: line"
		b.post(i.RefreshHandler())
		time.Sleep(gracePeriod + time.Second)
		thief.post(i.RefreshHandler())
		events := j.take()
		e := events[len(events)-1]
		if e.Kind != auth.EventReuse || e.Subject != "alice" || e.LoginID == "" {
			t.Fatalf("%+v", e)
		}
		for _, part := range []string{"refreshes behind: 1", "Owner's", "Thief's", "192.0.2.7"} {
			if !strings.Contains(e.Err.Error(), part) {
				t.Errorf("%q lacks %q", e.Err, part)
			}
		}
		if strings.ContainsAny(e.Err.Error(), "\r\n") {
			t.Errorf("%q", e.Err)
		}
	})(t)
}

// Tokens as JSON are of the form of RFC 6749, 5.1, and beside it there is what
// the clients of this module need.
func TestTokensAsJSON(t *testing.T) {
	tokens := issued(t, newIssuer(t))
	text, err := json.Marshal(tokens)
	must(t, err)
	var members map[string]any
	must(t, json.Unmarshal(text, &members))
	for _, name := range []string{"access_token", "refresh_token", "token_type", "expires_in", "refresh_after", "gen", "login_id"} {
		if _, ok := members[name]; !ok {
			t.Errorf("no %s", name)
		}
		delete(members, name)
	}
	if len(members) > 0 {
		t.Errorf("and %v", members)
	}
}
