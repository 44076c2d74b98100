package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/store"
)

// A takeOver logs users in by what the old library gave them: each credential once, until
// an end date.
type takeOver struct {
	logins interface { // a *session.Manager or a *token.Issuer
		Login(http.ResponseWriter, *http.Request, auth.Identity) error
		Authenticate(*http.Request) (auth.Identity, error)
	}
	store  store.Store // keeps which credentials have been taken over
	until  time.Time   // the end date
	cookie string      // the name of the old cookie, or ""
	read   func(*http.Request) (oldLogin, error)
}

// An oldLogin is the login of a request by the old library. Without a valid credential its
// Subject is empty.
type oldLogin struct {
	auth.Identity
	once []byte                                         // the credential, in the one form that is valid
	keep func(http.ResponseWriter, *http.Request) error // moves values into an anonymous session, or nil
}

// take logs the user of an old credential in. After an error the old credential can be
// taken over again, after 30 seconds at most.
func (t *takeOver) take(w http.ResponseWriter, r *http.Request) (taken bool, err error) {
	if !time.Now().Before(t.until) {
		return false, nil
	}
	old, err := t.read(r)
	if err != nil || old.Subject == "" {
		return false, err
	}
	digest := sha256.Sum256(old.once)
	key := "taken-over/" + hex.EncodeToString(digest[:])
	begun, done := []byte("begun"), []byte("done")
	first, err := t.store.CompareAndSwap(r.Context(), key, nil, begun, 30*time.Second)
	if err != nil || !first {
		return false, err
	}
	before := slices.Clone(w.Header()["Set-Cookie"])
	ctx := context.WithoutCancel(r.Context()) // a client that hangs up is logged in, too
	if old.keep != nil {
		err = old.keep(w, r) // first: Login carries the values of an anonymous session over
	}
	if err == nil {
		err = t.logins.Login(w, r, old.Identity)
	}
	if err == nil {
		_, err = t.store.CompareAndSwap(ctx, key, begun, done, time.Until(t.until))
	}
	if err != nil {
		w.Header()["Set-Cookie"] = before
		return false, errors.Join(err, t.store.Delete(ctx, key))
	}
	return true, nil
}

// expireOld expires the old cookie, unless the new one has the same name and so replaces it.
func (t *takeOver) expireOld(w http.ResponseWriter) {
	replaced := slices.ContainsFunc(w.Header()["Set-Cookie"], func(c string) bool {
		return strings.HasPrefix(c, t.cookie+"=")
	})
	if t.cookie != "" && !replaced {
		http.SetCookie(w, &http.Cookie{Name: t.cookie, Path: "/", MaxAge: -1})
	}
}

// wrap takes logins over into sessions, in front of all handlers. The request that carries
// the old cookie is served as one of the new session.
func (t *takeOver) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie(t.cookie); err != nil {
			next.ServeHTTP(w, r)
			return
		}
		if _, err := t.logins.Authenticate(r); errors.Is(err, auth.ErrNoCredential) {
			taken, err := t.take(w, r)
			if err != nil {
				middleware.Deny(w, r, err)
				return
			}
			if taken {
				t.expireOld(w) // behind the new cookie: curl may keep both otherwise
				r = withNewCookies(w, r)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// withNewCookies returns r with the cookies that a browser has after the response.
func withNewCookies(w http.ResponseWriter, r *http.Request) *http.Request {
	cookies := map[string]string{}
	for _, c := range r.Cookies() {
		cookies[c.Name] = c.Value
	}
	for _, c := range (&http.Response{Header: w.Header()}).Cookies() {
		if cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(cookies, c.Name)
		}
	}
	r = r.Clone(r.Context())
	r.Header.Del("Cookie")
	for name, value := range cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// ServeHTTP exchanges an old token for the tokens of an issuer.
func (t *takeOver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	before := slices.Clone(w.Header()["Set-Cookie"])
	t.expireOld(w) // now, because Login of an issuer writes the response
	taken, err := t.take(w, r)
	if err == nil && !taken {
		err = auth.ErrUnauthenticated
	}
	if err != nil {
		w.Header()["Set-Cookie"] = before
		middleware.Deny(w, r, err)
	}
}
