package session

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/authlatch/auth"
)

// CSRFTemplate defines the template "csrf", a hidden field for a form, to be parsed
// beside the templates of html/template that use it:
//
//	pages, err := template.Must(template.New("").Parse(session.CSRFTemplate)).ParseFS(files, "*.html")
//
//	<form method="post">{{template "csrf" .CSRF}} … </form>
//
// Its argument is the token of [Manager.CSRFToken].
const CSRFTemplate = `{{define "csrf"}}<input type="hidden" name="csrf_token" value="{{.}}">{{end}}`

// CSRFToken returns a token that proves to [Manager.CheckCSRF] that a request comes from
// a page of this session: the session of the request's cookie, or the one that Login or
// Ensure has made in the same handler. A page includes it in its forms with
// [CSRFTemplate], or its script sends it in the header X-CSRF-Token. Each call returns
// a different text of 86 characters, so that compression does not reveal it (BREACH).
// Each is valid until a login or a logout gives the browser another session or none. The
// token grants no access by itself, and the session's token cannot be computed from it.
//
// CSRFToken does not read the store, so it does not check that the session is alive. It
// sets Cache-Control: no-store, since the page is for this visitor only. The error wraps
// [auth.ErrNoCredential] if there is no session, and [auth.ErrUnauthenticated] if the
// cookie is malformed or sent twice.
func (m *Manager) CSRFToken(w http.ResponseWriter, r *http.Request) (string, error) {
	token, ok, err := m.token(w, r)
	if err != nil || ok && !wellFormed(token) {
		m.event(r.Context(), auth.Event{Kind: auth.EventRejected, Reason: "malformed cookie"})
		return "", fmt.Errorf("session: csrf token: malformed cookie: %w", auth.ErrUnauthenticated)
	}
	if !ok {
		return "", errNoCookie
	}
	noStore(w)
	var b [csrfBytes]byte
	pad, masked := b[:sha256.Size], b[sha256.Size:]
	rand.Read(pad)
	subtle.XORBytes(masked, pad, m.csrfProof(token))
	return base64url.EncodeToString(b[:]), nil
}

// CheckCSRF refuses a request that does not carry a CSRF token of its session (ASVS 5.0,
// 3.5.1): as the only X-CSRF-Token header or, without that, as the only csrf_token field
// of a form in either encoding, never in the query. GET, HEAD, OPTIONS and TRACE need
// none. It first makes the check of [Config.CrossOrigin]; the token then decides about
// requests that this check lets pass: those from trusted origins, and those of browsers
// that send no origin.
//
// CheckCSRF checks neither that the session is alive nor whose it is. Behind a guard,
// call it first in the handler. If the guard also accepts bearer tokens, which need no
// CSRF token, call it only where the identity's Credential is a [*Session].
//
// For a login form, the page calls [Manager.Ensure] and CSRFToken, and the handler of its
// POST calls CheckCSRF and then Login. If [Config.Cookie] has a Domain or is insecure, a
// sibling domain can plant a session cookie of its own, whose CSRF tokens it knows; CSRF
// tokens then do not protect a login form.
//
// The error is [ErrOtherSession] if the token is of another session. The error wraps
// [auth.ErrForbidden] if the token is missing, sent twice or malformed, if the cookie
// names no session, and if another site made the browser send the request. If the form is
// too large or broken, the error wraps auth.ErrForbidden and the cause, such as an
// [*http.MaxBytesError], to which a handler may respond with 413. Any other error means
// that the files of a form could not be kept.
//
// Forms are parsed as by [http.Request.ParseMultipartForm], with 1 MiB of files in
// memory, unless they have been parsed before. CheckCSRF removes the files of a request
// that it refuses. For other requests net/http removes them after the handler and,
// behind a guard, the guard does. Behind other middleware that passes on a copy of the
// request, call r.MultipartForm.RemoveAll in the handler. Limit the body with
// [http.MaxBytesReader], because a made-up cookie is enough to have it read. An upload
// that is read as a stream needs the header.
func (m *Manager) CheckCSRF(r *http.Request) error {
	if err := m.checkOrigin(r); err != nil {
		return err
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return nil
	}
	why := "no session"
	// Without a session there is nothing to read the body for.
	if token, ok, _ := m.config.Cookie.Read(r); ok && wellFormed(token) {
		sent, err := sentCSRFToken(r)
		if err == nil && m.provesCSRF(token, sent) {
			return nil
		}
		if r.MultipartForm != nil {
			r.MultipartForm.RemoveAll() // the server does not see to copies of r
		}
		if err != nil {
			return m.unread(r.Context(), err)
		}
		if wellFormedCSRF(sent) {
			return m.refuseCSRF(r.Context(), ErrOtherSession)
		}
		if why = "malformed"; sent == "" {
			why = "none, or more than one, was sent"
		}
	}
	return m.refuseCSRF(r.Context(), fmt.Errorf("session: csrf token: %s: %w", why, auth.ErrForbidden))
}

// refuseCSRF reports err, which says what is wrong with a CSRF token, and returns it.
func (m *Manager) refuseCSRF(ctx context.Context, err error) error {
	m.event(ctx, auth.Event{Kind: auth.EventRejected, Reason: "csrf token", Err: err})
	return err
}

// ErrOtherSession wraps [auth.ErrForbidden]. [Manager.CheckCSRF] returns it if a request
// carries a well-formed CSRF token that is not of its session. The usual cause is a page
// that was loaded before the user, or another user of the same browser, logged in or out
// in another tab. The handler should save nothing, and may show the form again with a new
// token.
//
// The error does not prove that the user meant to send the request, which must stay
// refused: an attacker can send the token of a session of its own.
var ErrOtherSession = fmt.Errorf("session: csrf token: not of this session: %w", auth.ErrForbidden)

// A CSRF token is a random pad, and under it the proof of the session.
const csrfBytes = 2 * sha256.Size

// csrfProof can be computed only with the session's token. It includes the domain, so
// that the same token has another proof at another manager.
func (m *Manager) csrfProof(token string) []byte {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("authlatch/session csrf"))
	mac.Write(m.domain[:])
	return mac.Sum(nil)
}

// wellFormedCSRF reports whether CSRFToken could have returned sent.
func wellFormedCSRF(sent string) bool {
	b, err := base64url.DecodeString(sent)
	return err == nil && len(b) == csrfBytes && len(sent) == base64url.EncodedLen(csrfBytes)
}

// provesCSRF reports whether sent was made for the session with this token.
func (m *Manager) provesCSRF(token, sent string) bool {
	if len(sent) != base64url.EncodedLen(csrfBytes) {
		return false
	}
	b, err := base64url.DecodeString(sent)
	if err != nil || len(b) != csrfBytes { // the decoder skips line breaks
		return false
	}
	pad, proof := b[:sha256.Size], b[sha256.Size:]
	subtle.XORBytes(proof, proof, pad)
	return hmac.Equal(proof, m.csrfProof(token))
}

const (
	csrfHeader = "X-Csrf-Token" // as net/http spells it
	csrfField  = "csrf_token"
	formMemory = 1 << 20
)

// sentCSRFToken returns the one token of a request, or "" if there is none or
// more than one. A request with the header keeps its body unread.
func sentCSRFToken(r *http.Request) (string, error) {
	values, ok := r.Header[csrfHeader]
	if !ok {
		err := r.ParseForm()
		if err == nil {
			err = r.ParseMultipartForm(formMemory)
		}
		if err != nil && !errors.Is(err, http.ErrNotMultipart) {
			return "", err
		}
		values = r.PostForm[csrfField]
	}
	if len(values) != 1 {
		return "", nil
	}
	return values[0], nil
}

// unread returns the error of a form that could not be read. What is wrong with a
// form is the client's doing and no fault; a disk that is full is one.
func (m *Manager) unread(ctx context.Context, cause error) error {
	var disk *fs.PathError
	if errors.As(cause, &disk) {
		return m.fail(ctx, "", "", fmt.Errorf("session: csrf token: keep the files of a form: %w", cause))
	}
	m.event(ctx, auth.Event{Kind: auth.EventRejected, Reason: "unreadable form"})
	return &unreadError{cause}
}

// unreadError leaves the cause out of its text, since that can quote what was
// sent.
type unreadError struct{ cause error }

func (e *unreadError) Error() string   { return "session: csrf token: the form cannot be read" }
func (e *unreadError) Unwrap() []error { return []error{auth.ErrForbidden, e.cause} }
