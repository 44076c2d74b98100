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
	"github.com/authlatch/auth/internal/stored"
	"github.com/authlatch/auth/internal/wire"
)

// Deny writes the response to a request that is refused because of err, one of the
// three outcomes of package auth:
//
//   - [auth.ErrUnauthenticated]: 401. If a [Guard] with a LoginPage refuses the
//     request, a browser that navigates is redirected to that page instead (303). The
//     query parameter "next" has the requested page; see [SafeNext].
//   - [auth.ErrForbidden] with a method RetryAfter() time.Duration, such as a
//     *throttle.Error: 429, with Retry-After in seconds, rounded up. Zero means that
//     waiting does not help, and omits the header.
//   - any other [auth.ErrForbidden]: 403, or 405 with Allow: POST if a Logout was
//     called by another method.
//   - any other error: 503, with Retry-After: 5.
//
// The body is a problem detail (RFC 9457) that discloses nothing about err (ASVS 5.0,
// 16.5.1).
//
// Handlers also use Deny for the errors of Login and Logout. A Guard.Deny, such as
// one that shows an HTML page depending on [errors.Is] and [errors.As], may call Deny
// with the request that it was given.
//
// [Explain] does the same and says why, for development.
//
// Deny changes no cookies and adds no WWW-Authenticate; a guard adds it through its
// [Challenger].
func Deny(w http.ResponseWriter, r *http.Request, err error) {
	deny(w, r, err, wire.Problem{})
}

// deny writes the response of Deny with the members of p.
func deny(w http.ResponseWriter, r *http.Request, err error, p wire.Problem) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	var limited interface{ RetryAfter() time.Duration }
	switch {
	case errors.As(err, &limited) && errors.Is(err, auth.ErrForbidden):
		if wait := limited.RetryAfter(); wait > 0 {
			h.Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
		}
		wire.WriteProblem(w, http.StatusTooManyRequests, p)
	case errors.Is(err, crossorigin.ErrNotPost):
		h.Set("Allow", http.MethodPost)
		wire.WriteProblem(w, http.StatusMethodNotAllowed, p)
	case errors.Is(err, auth.ErrForbidden):
		wire.WriteProblem(w, http.StatusForbidden, p)
	case errors.Is(err, auth.ErrUnauthenticated):
		if target := loginURL(r); target != "" {
			h.Set("Location", target)
			if p.Detail == "" {
				w.WriteHeader(http.StatusSeeOther)
			} else {
				wire.WriteProblem(w, http.StatusSeeOther, p)
			}
			return
		}
		wire.WriteProblem(w, http.StatusUnauthorized, p)
	default:
		h.Set("Retry-After", stored.RetryAfter)
		wire.WriteProblem(w, http.StatusServiceUnavailable, p)
	}
}

// loginPageKey is the context key of the LoginPage of the refusing guard.
type loginPageKey struct{}

// loginURL returns the URL to which a browser that navigates is redirected. It
// returns "" if the request is not a navigation, there is no login page, or the
// browser is already on it.
func loginURL(r *http.Request) string {
	loginPage, _ := r.Context().Value(loginPageKey{}).(string)
	page, asked := parseLoginPage(loginPage), requestURI(r)
	if page == nil || !navigates(r) || isPage(page, r.Host, asked) {
		return ""
	}
	// Another host learns the page to return to, but not its query.
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

// isPage reports whether the requested URI is page at host, so that a guard in front
// of the login page does not redirect in a loop.
func isPage(page *url.URL, host, asked string) bool {
	here, err := url.ParseRequestURI(asked)
	return err == nil && here.Path == page.Path && (page.Host == "" || strings.EqualFold(page.Host, host))
}

// navigates reports whether a browser requests a page to show. Scripts send another
// Sec-Fetch-Mode. Browsers that do not send the header list text/html in Accept.
func navigates(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// requestURI returns the URI that the browser requested, including prefixes that a
// handler has stripped.
func requestURI(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}
