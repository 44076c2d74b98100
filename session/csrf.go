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
// What it is given is the token of [Manager.CSRFToken].
const CSRFTemplate = `{{define "csrf"}}<input type="hidden" name="csrf_token" value="{{.}}">{{end}}`

// CSRFToken returns a token that proves to [Manager.CheckCSRF] that a request comes
// from a page of this session: that of the request's cookie, or the one that Login
// or Ensure has made in the same handler. A page puts it into its forms by
// [CSRFTemplate], or lets its script send it in the field X-CSRF-Token. Each call
// returns another text of 86 characters, so that compression gives nothing of it
// away (BREACH); each is good until a log-in or a log-out gives the browser another
// session or none. It opens nothing by itself, and the session's token cannot be
// computed from it.
//
// CSRFToken asks no store, and so not whether the session lives. It sets
// Cache-Control: no-store, since the page is for this visitor alone. The error
// wraps [auth.ErrNoCredential] if there is no session, and
// [auth.ErrUnauthenticated] if the cookie is malformed or doubled.
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

// CheckCSRF refuses a request that does not carry a token of its session (ASVS
// 5.0, 3.5.1): as the one field X-CSRF-Token or, without that, as the one
// csrf_token in a form of either encoding, never in the query. GET, HEAD, OPTIONS
// and TRACE need none. It makes the check of [Config.CrossOrigin] first, and goes
// on where that lets pass: for trusted origins, and in browsers that send no
// origin.
//
// It does not look whether the session lives, nor whose it is. Behind a guard, call
// it first in the handler; if the guard takes bearer tokens as well, which need
// none, only where the identity's Credential is a [*Session]. For a log-in form, the
// page calls [Manager.Ensure] and CSRFToken, and the handler of its POST calls
// CheckCSRF and then Login. If [Config.Cookie] has a Domain or is insecure, a
// sibling domain can plant a session cookie of its own, whose form tokens it
// knows; form tokens do not protect a log-in form then.
//
// The error wraps [auth.ErrForbidden] if the token is missing, doubled,
// malformed or of another session, if the cookie names none, and if another site
// made the browser send the request. So it does if the form is too large or
// broken, and then wraps the cause as well, such as the [*http.MaxBytesError] that
// may be answered with a 413. Any other error means that the files of a form could
// not be kept.
//
// Forms are parsed as by [http.Request.ParseMultipartForm], with 1 MiB of files
// in memory, unless they have been before; the files of a request that is refused
// are removed. Those of other requests are removed after the handler by net/http
// and, behind a guard, by the guard. Behind other middleware that hands on a copy
// of the request, call r.MultipartForm.RemoveAll in the handler. Bound the body with [http.MaxBytesReader]: a cookie that is made up
// is enough to have it read. An upload that is read as a stream needs the field.
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
		if why = "not of this session"; sent == "" {
			why = "none, or more than one, was sent"
		}
	}
	m.event(r.Context(), auth.Event{Kind: auth.EventRejected, Reason: "csrf token"})
	return fmt.Errorf("session: csrf token: %s: %w", why, auth.ErrForbidden)
}

// A CSRF token is a random pad, and under it the proof of the session.
const csrfBytes = 2 * sha256.Size

// csrfProof is what only who knows the session's token can compute. The world is
// in it, so that a session token at another manager has other proofs.
func (m *Manager) csrfProof(token string) []byte {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("authlatch/session csrf"))
	mac.Write(m.domain[:])
	return mac.Sum(nil)
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
// more than one. A request with the field keeps its body unread.
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
// form is the client's doing, and wakes up nobody; a disk that is full is not.
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
