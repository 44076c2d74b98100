package token_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token"
)

// refreshing is a Refreshing that a test can exchange, and that counts its calls. By
// default it changes nothing.
type refreshing struct {
	calls atomic.Int64
	f     func(ctx context.Context, id auth.Identity) (auth.Identity, error)
}

func (r *refreshing) set(c *token.IssuerConfig) {
	c.Refreshing = func(ctx context.Context, id auth.Identity) (auth.Identity, error) {
		r.calls.Add(1)
		if r.f == nil {
			return id, nil
		}
		return r.f(ctx, id)
	}
}

// stated returns the identity that the access token of a refresh states.
func stated(t testing.TB, i *token.Issuer, tokens token.Tokens) auth.Identity {
	t.Helper()
	verified, err := i.Verify(t.Context(), tokens.AccessToken)
	must(t, err)
	return verified.Identity()
}

// next refreshes after the grace period of the refresh before.
func next(t testing.TB, i *token.Issuer, tokens token.Tokens) token.Tokens {
	t.Helper()
	time.Sleep(gracePeriod + time.Second)
	return refreshed(t, i, tokens.RefreshToken)
}

// ASVS 5.0, 8.3.2.
func TestRefreshingChangesWhatLaterTokensState(t *testing.T) {
	inBubble(func(t *testing.T) {
		hook := &refreshing{}
		i := newIssuer(t, hook.set)
		login := auth.Identity{Subject: "alice", Scopes: "read write", Methods: "pwd", Claims: `{"role":"admin"}`}
		tokens, err := i.Issue(t.Context(), login)
		must(t, err)
		first := stated(t, i, tokens)
		var given []auth.Identity
		hook.f = func(_ context.Context, id auth.Identity) (auth.Identity, error) {
			given = append(given, id)
			id.Scopes, id.Methods, id.Claims = "read", "pwd otp", auth.Claims(fmt.Sprintf(`{"refresh":%d}`, len(given)))
			return id, nil
		}
		tokens = next(t, i, next(t, i, tokens))
		got := stated(t, i, tokens)
		if got.Scopes != "read" || got.Methods != "pwd otp" || got.Claims != `{"refresh":2}` {
			t.Errorf("the token states %+v", got)
		}
		if got.Subject != "alice" || got.LoginID != first.LoginID || !got.AuthTime.Equal(first.AuthTime) {
			t.Errorf("the login became %+v", got)
		}
		want := first
		want.AuthTime, want.Expires, want.Credential = given[0].AuthTime, given[0].Expires, nil
		if given[0] != want || given[0].Expires.Before(first.Expires) || given[0].AuthTime.Unix() != first.AuthTime.Unix() {
			t.Errorf("it was given %+v, and the login is %+v", given[0], first)
		}
		if given[1].Scopes != "read" || given[1].Claims != `{"refresh":1}` {
			t.Errorf("the second refresh started from %+v", given[1])
		}
		hook.f = nil
		if got := stated(t, i, next(t, i, tokens)); got.Claims != `{"refresh":2}` {
			t.Errorf("without a change the token states %s", got.Claims)
		}
	})(t)
}

// A retry of the client that lost the response, and a second tab, must not undo or repeat
// a change. A recovery after the grace period is a refresh: otherwise a client could
// keep old rights by repeating its idempotency key.
func TestRetriesStateWhatTheRefreshStated(t *testing.T) {
	inBubble(func(t *testing.T) {
		hook := &refreshing{}
		i := newIssuer(t, hook.set)
		hook.f = func(_ context.Context, id auth.Identity) (auth.Identity, error) {
			id.Scopes = auth.Words(fmt.Sprintf("call%d", hook.calls.Load()))
			return id, nil
		}
		first := issued(t, i)
		time.Sleep(gracePeriod + time.Second)
		attempt := newAttempt()
		wantsScopes := func(what, refreshToken, attempt string, scopes auth.Words) token.Tokens {
			t.Helper()
			tokens, err := i.Refresh(t.Context(), refreshToken, attempt)
			must(t, err)
			if got := stated(t, i, tokens).Scopes; got != scopes {
				t.Errorf("%s states %s, want %s", what, got, scopes)
			}
			return tokens
		}
		second := wantsScopes("the refresh", first.RefreshToken, attempt, "call1")
		wantsScopes("a retry", first.RefreshToken, attempt, "call1")
		wantsScopes("another tab", first.RefreshToken, newAttempt(), "call1")
		wantsScopes("the successor, at once", second.RefreshToken, newAttempt(), "call1")
		time.Sleep(gracePeriod + time.Second)
		again := wantsScopes("a recovery", first.RefreshToken, attempt, "call2")
		if again.RefreshToken != second.RefreshToken {
			t.Error("a recovery returns another refresh token")
		}
		wantsScopes("the recovered token, at once", second.RefreshToken, newAttempt(), "call2")
		wantsScopes("a late retry", first.RefreshToken, attempt, "call2")
	})(t)
}

// ASVS 5.0, 7.4.2.
func TestRefreshingEndsTheLogin(t *testing.T) {
	inBubble(func(t *testing.T) {
		hook, j := &refreshing{}, &journal{}
		i := newIssuer(t, hook.set, reportTo(j))
		b := loggedIn(t, i, "alice")
		j.take()
		disabled := fmt.Errorf("the account is disabled: %w", auth.ErrUnauthenticated)
		hook.f = func(_ context.Context, id auth.Identity) (auth.Identity, error) { return id, disabled }
		w := b.post(i.RefreshHandler())
		if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "urn:authlatch:refresh:revoked") || strings.Contains(w.Body.String(), "disabled") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		events := j.take()
		if len(events) != 1 || events[0].Kind != auth.EventRevoked || events[0].Subject != "alice" || events[0].LoginID == "" ||
			events[0].Reason != "refresh refused" || !errors.Is(events[0].Err, disabled) {
			t.Errorf("events %+v", events)
		}
		hook.f = nil
		if w := b.post(i.RefreshHandler()); w.Code != http.StatusUnauthorized || hook.calls.Load() != 1 {
			t.Errorf("the ended login: %d, %d calls", w.Code, hook.calls.Load())
		}
		if list, err := i.Logins(t.Context(), "alice"); err != nil || len(list) != 0 {
			t.Errorf("the list has %v, %v", list, err)
		}
	})(t)
}

// ASVS 5.0, 16.5.2 and 16.5.3.
// A failure, or a change that is not allowed, changes nothing. The same refresh works
// once the fault is mended.
func TestRefreshingThatFailsChangesNothing(t *testing.T) {
	changed := func(change func(*auth.Identity)) func(context.Context, auth.Identity) (auth.Identity, error) {
		return func(_ context.Context, id auth.Identity) (auth.Identity, error) {
			change(&id)
			return id, nil
		}
	}
	for rule, f := range map[string]func(context.Context, auth.Identity) (auth.Identity, error){
		"a database that is down": func(_ context.Context, id auth.Identity) (auth.Identity, error) { return id, errors.New("down") },
		"forbidden":               func(_ context.Context, id auth.Identity) (auth.Identity, error) { return id, auth.ErrForbidden },
		"a call that lasts too long": func(ctx context.Context, id auth.Identity) (auth.Identity, error) {
			<-ctx.Done()
			return id, ctx.Err()
		},
		"the zero identity":     func(context.Context, auth.Identity) (auth.Identity, error) { return auth.Identity{}, nil },
		"another subject":       changed(func(id *auth.Identity) { id.Subject = "bob" }),
		"another issuer":        changed(func(id *auth.Identity) { id.Issuer = "" }),
		"another login":         changed(func(id *auth.Identity) { id.LoginID = "x" }),
		"a later proof":         changed(func(id *auth.Identity) { id.AuthTime = time.Now().Add(time.Hour) }),
		"a later end":           changed(func(id *auth.Identity) { id.Expires = id.Expires.Add(time.Hour) }),
		"no end":                changed(func(id *auth.Identity) { id.Expires = time.Time{} }),
		"a credential":          changed(func(id *auth.Identity) { id.Credential = []int{1} }),
		"scopes with a newline": changed(func(id *auth.Identity) { id.Scopes = "a\nb" }),
		"a registered claim":    changed(func(id *auth.Identity) { id.Claims = `{"sub":"bob"}` }),
		"claims that are none":  changed(func(id *auth.Identity) { id.Claims = `{` }),
		"claims for no token":   changed(func(id *auth.Identity) { id.Claims = auth.Claims(`{"x":"` + strings.Repeat("x", 5000) + `"}`) }),
	} {
		t.Run(rule, inBubble(func(t *testing.T) {
			hook, s, j := &refreshing{}, &meter{}, &journal{}
			i := newIssuer(t, over(s, cheapKeys(t)), hook.set, reportTo(j))
			b := loggedIn(t, i, "alice")
			before, _, _ := s.Memory.Get(t.Context(), familyKeyOf(b.refresh))
			j.take()
			b.attempt = newAttempt()
			hook.f = f
			if w := b.post(i.RefreshHandler()); w.Code != http.StatusServiceUnavailable {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if events := j.take(); len(events) != 1 || events[0].Kind != auth.EventFault || events[0].Subject != "alice" || events[0].LoginID == "" || events[0].Err == nil {
				t.Errorf("events %+v", events)
			}
			if after, _, _ := s.Memory.Get(t.Context(), familyKeyOf(b.refresh)); !bytes.Equal(before, after) {
				t.Error("the record has changed")
			}
			hook.f = nil
			if w := b.post(i.RefreshHandler()); w.Code != http.StatusOK {
				t.Errorf("the retry: %d %s", w.Code, w.Body)
			}
		}))
	}
}

// ASVS 5.0, 15.4.2.
// Two refreshes that both ask have one result: that of the faster write.
func TestConcurrentRefreshesStateTheSame(t *testing.T) {
	inBubble(func(t *testing.T) {
		hook := &refreshing{}
		i := newIssuer(t, hook.set)
		first := issued(t, i)
		time.Sleep(gracePeriod + time.Second)
		var n atomic.Int64
		hook.f = func(_ context.Context, id auth.Identity) (auth.Identity, error) {
			call := n.Add(1)
			time.Sleep(time.Duration(3-call) * time.Second / 2) // the first call ends last
			id.Scopes = auth.Words(fmt.Sprintf("call%d", call))
			return id, nil
		}
		var wg sync.WaitGroup
		answers := make([]token.Tokens, 2)
		for k := range answers {
			wg.Go(func() {
				var err error
				if answers[k], err = i.Refresh(t.Context(), first.RefreshToken, newAttempt()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, tokens := range answers {
			if got := stated(t, i, tokens).Scopes; got != "call2" || tokens.Generation != 1 {
				t.Errorf("generation %d states %s", tokens.Generation, got)
			}
		}
	})(t)
}

// A login that another call refuses, while the first one is about to be allowed, ends.
func TestRefusalEndsTheLoginThatAnotherRefreshContinues(t *testing.T) {
	inBubble(func(t *testing.T) {
		hook := &refreshing{}
		i := newIssuer(t, hook.set)
		first := issued(t, i)
		hook.f = func(_ context.Context, id auth.Identity) (auth.Identity, error) {
			if hook.calls.Load() == 1 {
				time.Sleep(time.Second)
				return id, auth.ErrUnauthenticated
			}
			return id, nil
		}
		refused := make(chan string)
		go func() { refused <- ends(i, first.RefreshToken) }()
		time.Sleep(time.Second / 2)
		second := refreshed(t, i, first.RefreshToken)
		if got := <-refused; got != refusedAs {
			t.Errorf("the refused refresh: %s", got)
		}
		if err := i.Revoke(t.Context(), second.RefreshToken); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("the login lives: %v", err)
		}
	})(t)
}

// The context of the call ends with the request, not with the writes.
func TestRefreshingIsCanceledWithTheRequest(t *testing.T) {
	inBubble(func(t *testing.T) {
		hook := &refreshing{}
		i := newIssuer(t, hook.set)
		first := issued(t, i)
		hook.f = func(ctx context.Context, id auth.Identity) (auth.Identity, error) {
			<-ctx.Done()
			return id, ctx.Err()
		}
		for limit, want := range map[time.Duration]time.Duration{time.Second: time.Second, time.Hour: 3 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			start := time.Now()
			_, err := i.Refresh(ctx, first.RefreshToken, newAttempt())
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != want {
				t.Errorf("a deadline of %v: %v after %v", limit, err, time.Since(start))
			}
		}
	})(t)
}
