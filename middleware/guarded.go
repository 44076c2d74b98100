package middleware

import (
	"context"
	"net/http"
	"reflect"
	"slices"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/ctxkey"
)

// guarded is the context of a request that a guard has admitted. It holds everything
// in one value, because one is allocated per request.
type guarded struct {
	context.Context
	identity auth.Identity
	guard    *Guard

	// The request that was authenticated, by value, because a handler may change it.
	method, host, path string
	header             http.Header

	// These back response headers without an allocation. They are not shared, so a
	// handler that writes into them cannot change the response to another request.
	cacheControl [1]string
	vary         [2]string // usually one existing value, and ours
}

func newGuarded(g *Guard, r *http.Request, id auth.Identity) *guarded {
	return &guarded{
		Context:      r.Context(),
		identity:     id,
		guard:        g,
		method:       r.Method,
		host:         r.Host,
		path:         r.URL.Path,
		header:       r.Header,
		cacheControl: [1]string{"no-store"},
	}
}

type guardKey struct{}

// Value returns c itself for guardKey, and the identity for ctxkey.Identity.
func (c *guarded) Value(key any) any {
	switch key.(type) {
	case guardKey:
		return c
	case ctxkey.Identity:
		return &c.identity
	}
	return c.Context.Value(key)
}

// speaksFor reports whether r is the request that was authenticated, perhaps with
// another context, and whether its handler sees the identity of c. It returns false
// for a request that a handler has created and serves within another one, and if the
// identity in the context was replaced.
func (c *guarded) speaksFor(r *http.Request) bool {
	id, _ := r.Context().Value(ctxkey.Identity{}).(*auth.Identity)
	return id == &c.identity &&
		c.method == r.Method && c.host == r.Host && c.path == r.URL.Path &&
		reflect.ValueOf(c.header).UnsafePointer() == reflect.ValueOf(r.Header).UnsafePointer()
}

// serve calls next with admitted, which is r or its copy that carries c.
func (c *guarded) serve(next http.Handler, w http.ResponseWriter, r, admitted *http.Request) {
	h := w.Header()
	h["Cache-Control"] = c.cacheControl[:]
	addVary(h, c.vary[:0])
	serveCopy(next, w, r, admitted)
}

// varies lists the request headers that carry credentials.
const varies = "Cookie, Authorization"

// addVary adds the credential headers to Vary (RFC 9110, 12.5.5). It builds the value
// in room if that is large enough, because the slice in h may be shared with other
// headers.
func addVary(h http.Header, room []string) {
	if fields := h["Vary"]; !slices.Contains(fields, varies) {
		h["Vary"] = append(append(room, fields...), varies)
	}
}

// anonymous returns the request without an identity that middleware outside of the
// guard may have put into its context.
func anonymous(r *http.Request) *http.Request {
	if _, ok := auth.FromContext(r.Context()); !ok {
		return r
	}
	return withContext(r, context.WithValue(r.Context(), ctxkey.Identity{}, (*auth.Identity)(nil)))
}
