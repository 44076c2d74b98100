package token_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// identityOf returns the identity of a request that carries a token.
func identityOf(t *testing.T, v interface {
	Authenticate(*http.Request) (auth.Identity, error)
}, text string) auth.Identity {
	t.Helper()
	r := httptest.NewRequest("GET", "https://api.example/", nil)
	r.Header.Set("Authorization", "Bearer "+text)
	id, err := v.Authenticate(r)
	must(t, err)
	return id
}

// Without a store, what is known is the token. A client whose token has expired can
// refresh and connect again, unlike one whose login has ended.
func TestWatchWithoutAStoreEndsWithTheAccessToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMinter(t)
		v := m.verifier()
		id := identityOf(t, v, m.mint(claims()))
		ctx, stop := v.Watch(t.Context(), id)
		defer stop()
		<-ctx.Done()
		if late := time.Since(id.Expires); late != 30*time.Second {
			t.Errorf("ended %v after the expiry, want the leeway", late)
		}
		if err := context.Cause(ctx); !errors.Is(err, token.ErrExpired) {
			t.Error("the cause is ", err)
		}
		again, stop := v.Watch(t.Context(), id)
		defer stop()
		if !errors.Is(context.Cause(again), token.ErrExpired) {
			t.Error("an expired token is watched")
		}
	})
}

// A Verifier on another host, with the store, sees the end of the login, and is not bound
// to the life of the token.
func TestWatchOfAVerifierWithRevocationCheckEndsWithTheLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := newMinter(t), &store.Memory{}
		put(t, s, token.FamilyRecord(time.Now().Add(24*time.Hour)))
		v := liveVerifier(m, s, time.Hour)
		id := identityOf(t, v, m.mint(with(map[string]any{"fam": famID, "sid": token.FamilyLoginID(namespace, famID)})))
		ctx, stop := v.Watch(t.Context(), id)
		defer stop()
		time.Sleep(30 * time.Minute)
		must(t, context.Cause(ctx))
		put(t, s, []byte("garbage")) // is a fault of the server
		time.Sleep(20 * time.Minute)
		must(t, context.Cause(ctx))
		put(t, s, logins.NewTombstone(logins.Family, logins.LoggedOut))
		time.Sleep(5500 * time.Millisecond)
		synctest.Wait()
		if err := context.Cause(ctx); !errors.Is(err, auth.ErrUnauthenticated) || errors.Is(err, token.ErrExpired) {
			t.Error("the cause is ", err)
		}
	})
}

// The thief and the owner are both out, and so are their connections.
func TestWatchEndsByReuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, over(&store.Memory{}, cheapKeys(t)))
		tokens := issued(t, i)
		ctx, stop := i.Watch(t.Context(), identityOf(t, i.Verifier, tokens.AccessToken))
		defer stop()
		for _, attempt := range []string{"aaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbb"} {
			must(t, context.Cause(ctx))
			time.Sleep(time.Minute)
			i.Refresh(t.Context(), tokens.RefreshToken, attempt)
		}
		if err := context.Cause(ctx); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Error("the cause is ", err)
		}
	})
}

func TestWatchOfSeveralIssuersIsThatOfTheVerifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := newMinter(t), &store.Memory{}
		put(t, s, token.FamilyRecord(time.Now().Add(24*time.Hour)))
		other := newMinter(t).verifier(func(c *token.VerifierConfig) { c.Issuer = "https://other.example" })
		both, err := token.ByIssuer(other, liveVerifier(m, s, 0))
		must(t, err)
		id := identityOf(t, both, m.mint(with(map[string]any{"fam": famID, "sid": token.FamilyLoginID(namespace, famID)})))
		ctx, stop := both.Watch(t.Context(), id)
		defer stop()
		time.Sleep(time.Hour)
		must(t, context.Cause(ctx))
		put(t, s, logins.NewTombstone(logins.Family, logins.Revoked))
		if <-ctx.Done(); !errors.Is(context.Cause(ctx), auth.ErrUnauthenticated) {
			t.Error("the cause is ", context.Cause(ctx))
		}
		refused, stop := both.Watch(t.Context(), auth.Identity{Subject: "alice"})
		defer stop()
		if err := context.Cause(refused); err == nil || errors.Is(err, auth.ErrUnauthenticated) {
			t.Error("the cause is ", err)
		}
	})
}
