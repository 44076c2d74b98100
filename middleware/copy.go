package middleware

import (
	"context"
	"net/http"
)

// withContext returns a copy of r with another context, for [serveCopy]. A server
// puts trailers that no field has announced into its own request, unless there is
// a map, which the copy then shares.
func withContext(r *http.Request, ctx context.Context) *http.Request {
	if r.Trailer == nil && len(r.TransferEncoding) > 0 {
		r.Trailer = make(http.Header)
	}
	return r.WithContext(ctx)
}

// serveCopy calls next with inner, which is r or its copy by withContext.
func serveCopy(next http.Handler, w http.ResponseWriter, r, inner *http.Request) {
	defer endCopy(r, inner)
	next.ServeHTTP(w, inner)
}

// endCopy does for a copy of r what nobody outside can do after the handler has
// returned or panicked. It removes the files of a form that was parsed within, as
// a server does for its own request, and gives back the pattern that a mux has
// matched, for logs and metrics. It leaves alone what a server leaves alone, since
// a goroutine of the handler may still use the copy.
func endCopy(r, inner *http.Request) {
	if form := inner.MultipartForm; form != nil && form != r.MultipartForm {
		form.RemoveAll()
	}
	r.Pattern = inner.Pattern
}
