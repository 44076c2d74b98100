package middleware

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/crossorigin"
)

// Deny answers a request that is not served because of err, one of the three
// outcomes of package auth:
//
//   - [auth.ErrUnauthenticated]: 401. Where a [Guard] with a LoginPage refuses, a
//     browser that navigates is sent to that page instead (303), with the page that
//     it wanted to get in the query parameter "next"; see [SafeNext].
//   - [auth.ErrForbidden] with a method RetryAfter() time.Duration, such as the
//     *throttle.Error of too many attempts: 429, with Retry-After, in seconds rounded
//     up, unless it is zero: then waiting does not help.
//   - any other [auth.ErrForbidden]: 403, or 405 with Allow: POST if a Logout was asked for by
//     another method.
//   - any other: 503, with Retry-After.
//
// The body is a problem detail (RFC 9457) that tells nothing of err (ASVS 5.0,
// 16.5.1). Handlers use Deny for the errors of Login and Logout too, and a
// [Guard] with a Deny of its own may end in it, with the request that it was given,
// such as one that shows people a page, by [errors.Is] and [errors.As]. No cookie is
// touched, and no WWW-Authenticate is added: that does a guard, by its [Challenger].
func Deny(w http.ResponseWriter, r *http.Request, err error) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	var limited interface{ RetryAfter() time.Duration }
	switch {
	case errors.As(err, &limited) && errors.Is(err, auth.ErrForbidden):
		if wait := limited.RetryAfter(); wait > 0 {
			h.Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
		}
		problem(w, http.StatusTooManyRequests)
	case errors.Is(err, crossorigin.ErrNotPost):
		h.Set("Allow", http.MethodPost)
		problem(w, http.StatusMethodNotAllowed)
	case errors.Is(err, auth.ErrForbidden):
		problem(w, http.StatusForbidden)
	case errors.Is(err, auth.ErrUnauthenticated):
		if target := loginURL(r); target != "" {
			h.Set("Location", target)
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		problem(w, http.StatusUnauthorized)
	default:
		h.Set("Retry-After", "5")
		problem(w, http.StatusServiceUnavailable)
	}
}

func problem(w http.ResponseWriter, status int) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// Status texts need no escaping.
	w.Write([]byte(`{"title":"` + http.StatusText(status) + `","status":` + strconv.Itoa(status) + "}\n"))
}

// loginPageKey is that of the LoginPage of the guard that refuses, in the context of
// the request that its Deny gets.
type loginPageKey struct{}

// loginURL returns where a browser that navigates is sent, or "" if this is no
// navigation, there is no log-in page, or the browser is on it.
func loginURL(r *http.Request) string {
	loginPage, _ := r.Context().Value(loginPageKey{}).(string)
	page, asked := parseLoginPage(loginPage), requestURI(r)
	if page == nil || !navigates(r) || isPage(page, r.Host, asked) {
		return ""
	}
	// Another host is told where to lead back to, and not what a query holds.
	if page.Host != "" && !strings.EqualFold(page.Host, r.Host) {
		asked, _, _ = strings.Cut(asked, "?")
	}
	// What was posted cannot be posted again by following a link.
	if next := SafeNext(asked); next != "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		query := page.Query()
		query.Set("next", next)
		page.RawQuery = query.Encode()
	}
	return page.String()
}

// parseLoginPage returns nil if a browser would not find the page from
// everywhere on the site.
func parseLoginPage(loginPage string) *url.URL {
	page, err := url.Parse(loginPage)
	switch {
	case err != nil:
		return nil
	case page.Host != "" && (page.Scheme == "http" || page.Scheme == "https"):
		return page
	case page.Host == "" && page.Scheme == "" && SafeNext(page.EscapedPath()) == page.EscapedPath():
		return page
	}
	return nil
}

// isPage reports whether page is what was asked for at host, so that a guard
// in front of the log-in page sends nobody in circles.
func isPage(page *url.URL, host, asked string) bool {
	here, err := url.ParseRequestURI(asked)
	return err == nil && here.Path == page.Path && (page.Host == "" || strings.EqualFold(page.Host, host))
}

// navigates reports whether a browser wants a page to show. Scripts ask with
// another mode, and browsers that send no mode accept HTML by name.
func navigates(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// requestURI returns what the browser asked for, prefixes that a handler on
// the way has stripped included.
func requestURI(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}
