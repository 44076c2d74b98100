package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/internal/crossorigin"
	"github.com/authlatch/auth/internal/keyring"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/plainhttp"
	"github.com/authlatch/auth/internal/rotation"
	"github.com/authlatch/auth/internal/stored"
	"github.com/authlatch/auth/internal/wire"
)

// Login logs id in for a browser. It responds with the access token in the body, as
// JSON (see [Tokens]), and sets the cookie with the refresh token. It ends the
// previous login of the browser. id.Expires is a request: beyond Lifetime of
// [auth.Limits] it means "remember me". The login is then capped at MaxLifetime, has the
// RememberedIdleTimeout, and its refresh cookie outlives the browser. An earlier Expires
// ends the login earlier. A login with an Actor lasts an hour at most; see [auth.Identity].
//
// A login that replaces a remembered login of the same subject, which it knows by the
// refresh cookie, is remembered as well, and ends no earlier than that login, if id.Expires
// is zero or the Expires of the access token in id.Credential, as in the identity of the
// request. So proving another factor, or the same one again, does not forget the user; call
// Logout first to do so. Any other Expires counts as a new request.
//
// After Login, check once more that what was proved before it still holds, and end
// the login if not. Otherwise a login whose password was checked before a change of
// password, and whose Login runs after the [Issuer.LogoutAll] of that change, stays
// valid. If the change first replaces the hash and then calls LogoutAll, the second
// check leaves no gap.
//
// The error wraps [auth.ErrForbidden] if another site made the browser send the
// request. Any other error means that id is not valid (see [auth.Identity.Validate];
// its Issuer must be empty or that of the issuer, and its Expires not in the past), that
// a cookie cannot be set in this response, or that the store could not answer. After an
// error, no response has been written and this call has logged in no user. The previous
// login of the browser remains valid, unless it had been ended already.
func (i *Issuer) Login(w http.ResponseWriter, r *http.Request, id auth.Identity) error {
	if err := i.checkOrigin(r); err != nil {
		return err
	}
	// Find a cookie that cannot be set before anything is written.
	for _, policy := range i.cookies() {
		if err := policy.Set(make(http.Header), r, "probe"); err != nil {
			return i.fault(r.Context(), id.Subject, "", fmt.Errorf("token: log in: %w", err))
		}
	}
	ctx, cancel := stored.Writing(r.Context())
	defer cancel()
	old, err := i.presentedLogin(ctx, r)
	if err != nil {
		return err
	}
	tokens, fresh, err := i.issue(ctx, id, i.device(r), old)
	if err != nil {
		return err
	}
	i.revokeSent(ctx, r, logins.Replaced)
	if err := i.writeTokens(w, r, tokens); err != nil {
		i.rollback(ctx, fresh)
		return i.failed(ctx, fresh.event(""), fmt.Errorf("token: log in: %w", err))
	}
	i.event(ctx, fresh.event(auth.EventLogin))
	return nil
}

// RefreshHandler responds to a browser's POST with a new access token, in exchange
// for the refresh token in its cookie. A 401 means that the login has ended. It has a
// problem detail (RFC 9457) of the type urn:authlatch:refresh:missing, invalid,
// expired, revoked (with a "reason") or reused. After any other failure the login is
// unchanged, and the refresh can be repeated. A failed refresh never changes the
// cookie, because the browser may have a newer one by then.
//
// The other statuses are 403 if another site made the browser send the request, or if a
// required idempotency key in the header [AttemptHeader] is missing; 405 for other
// methods than POST; and 503 if the refresh could not be completed.
//
// With [IssuerConfig.NativeClients], a client without the cookie sends
// {"refresh_token": "…"} as JSON, and receives both tokens in the body.
func (i *Issuer) RefreshHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := i.renew(w, r); err != nil {
			i.writeError(w, err)
		}
	})
}

// renew responds to a refresh, unless it returns an error.
func (i *Issuer) renew(w http.ResponseWriter, r *http.Request) error {
	if err := i.checkPost(r); err != nil {
		return err
	}
	text, native, err := i.presentedToken(r)
	if err != nil {
		return err
	}
	tokens, err := i.refresh(r.Context(), text, r.Header.Get(AttemptHeader), i.device(r))
	if err != nil {
		return err
	}
	if native {
		err = writeJSON(w, tokens.Tokens)
	} else {
		err = i.writeTokens(w, r, tokens)
	}
	if err != nil {
		return i.fault(r.Context(), "", "", fmt.Errorf("token: refresh: %w", err))
	}
	return nil
}

// cookies returns the policies of the cookies that the issuer sets.
func (i *Issuer) cookies() []cookie.Policy {
	if i.config.AccessCookie == (cookie.Policy{}) {
		return []cookie.Policy{i.config.Cookie}
	}
	return []cookie.Policy{i.config.Cookie, i.config.AccessCookie}
}

// checkPost refuses a request that is not a POST, that another site made the browser
// send, or that lacks the header that only own pages can send.
func (i *Issuer) checkPost(r *http.Request) error {
	if r.Method != http.MethodPost {
		return fmt.Errorf("token: %w: %w", crossorigin.ErrNotPost, auth.ErrForbidden)
	}
	if err := i.checkOrigin(r); err != nil {
		return err
	}
	return i.checkAttempt(r.Context(), r.Header.Get(AttemptHeader))
}

// writeError responds to an error of a handler. The type of the problem says what is wrong
// with a refresh token. The response discloses nothing else.
func (i *Issuer) writeError(w http.ResponseWriter, err error) {
	var refused *refusal
	switch {
	case errors.Is(err, crossorigin.ErrNotPost):
		w.Header().Set("Allow", http.MethodPost)
		wire.WriteProblem(w, http.StatusMethodNotAllowed, wire.Problem{})
	case errors.Is(err, auth.ErrForbidden):
		wire.WriteProblem(w, http.StatusForbidden, wire.Problem{})
	case errors.As(err, &refused):
		challenge := `Bearer error="invalid_token"`
		if refused.code == codeMissing {
			challenge = "Bearer"
		}
		w.Header().Set("WWW-Authenticate", challenge)
		detail := wire.Problem{Type: wire.RefreshProblem + string(refused.code)}
		if refused.reason != 0 {
			detail.Reason = refused.reason.String()
		}
		wire.WriteProblem(w, http.StatusUnauthorized, detail)
	default:
		w.Header().Set("Retry-After", stored.RetryAfter)
		wire.WriteProblem(w, http.StatusServiceUnavailable, wire.Problem{})
	}
}

func writeJSON(w http.ResponseWriter, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	w.Write(append(text, '\n'))
	return nil
}

// writeTokens responds with tokens. After an error w is unchanged: if one cookie
// cannot be set, none is.
func (i *Issuer) writeTokens(w http.ResponseWriter, r *http.Request, tokens granted) error {
	h := http.Header{"Set-Cookie": w.Header()["Set-Cookie"]}
	i.former.Expire(h, r)
	refresh := i.config.Cookie
	if !tokens.ends.IsZero() {
		refresh = refresh.MaxAge(max(time.Until(tokens.ends).Truncate(time.Second), time.Second))
	}
	if err := refresh.Set(h, r, tokens.RefreshToken); err != nil {
		return err
	}
	tokens.RefreshToken = ""
	if policy := i.config.AccessCookie; policy != (cookie.Policy{}) {
		if err := policy.MaxAge(time.Duration(max(tokens.ExpiresIn, 1))*time.Second).Set(h, r, tokens.AccessToken); err != nil {
			return err
		}
		tokens.AccessToken = ""
	}
	w.Header()["Set-Cookie"] = h["Set-Cookie"]
	if err := i.plain.Check(r, i.config.Cookie); err != nil {
		i.event(r.Context(), auth.Event{Kind: auth.EventFault, Reason: plainhttp.Reason, Err: fmt.Errorf("token: %w", err)})
	}
	return writeJSON(w, tokens.Tokens)
}

// presentedToken returns the refresh token of a request, from the cookie or, for a
// native client, from the body.
func (i *Issuer) presentedToken(r *http.Request) (text string, native bool, err error) {
	text, ok, err := i.config.Cookie.Read(r)
	switch {
	case err != nil:
		refused := i.refuse(r.Context(), auth.EventRejected, "", "", codeInvalid, "malformed cookie")
		return "", false, fmt.Errorf("%w: %w", refused, err)
	case ok:
		return text, false, nil
	}
	var body wire.RefreshRequest
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); i.config.NativeClients && mediaType == "application/json" {
		text, err := io.ReadAll(io.LimitReader(r.Body, 4096))
		if err != nil {
			return "", false, fmt.Errorf("token: read a request: %w", err)
		}
		json.Unmarshal(text, &body) // a malformed body has no token
	}
	if body.RefreshToken == "" {
		return "", false, &refusal{code: codeMissing}
	}
	return body.RefreshToken, true, nil
}

// presentedLogin returns the login to which the refresh token in the request's cookie
// belongs, and nil if there is none that is live.
func (i *Issuer) presentedLogin(ctx context.Context, r *http.Request) (*login, error) {
	text, ok, err := i.config.Cookie.Read(r)
	if err != nil || !ok {
		return nil, nil // a malformed cookie names no login
	}
	login, err := i.owner(ctx, text)
	if errors.Is(err, auth.ErrUnauthenticated) || errors.Is(err, rotation.ErrCorrupt) || errors.Is(err, keyring.ErrUnknown) {
		return nil, nil // a token that cannot be refreshed must not prevent a login
	}
	return login, err
}

// owner returns the login of a refresh token of any generation.
func (i *Issuer) owner(ctx context.Context, text string) (*login, error) {
	t, ok := rotation.ParseToken(text)
	if !ok {
		return nil, i.refuse(ctx, auth.EventRejected, "", "", codeInvalid, "malformed refresh token")
	}
	digest := rotation.Digest(i.config.Namespace, rotation.FamilyID(t.Seed))
	raw, err := i.readFamily(ctx, digest)
	if err != nil {
		return nil, err
	}
	f, _, err := i.openFamily(ctx, digest, raw, t)
	if err != nil {
		return nil, err
	}
	return &login{f.Subject, digest, f}, nil
}

func (i *Issuer) device(r *http.Request) rotation.Device {
	userAgent, address := i.config.Device(r)
	return rotation.Device{UserAgent: stored.Printable(userAgent, 256), Address: stored.Printable(address, 64)}
}

// checkOrigin refuses a request that another site made the browser send.
func (i *Issuer) checkOrigin(r *http.Request) error {
	if err := crossorigin.Check(i.config.CrossOrigin, r); err != nil {
		err = fmt.Errorf("token: cross-origin request: %w: %w", auth.ErrForbidden, err)
		i.event(r.Context(), auth.Event{Kind: auth.EventRejected, Reason: "cross-origin request", Err: err})
		return err
	}
	return nil
}
