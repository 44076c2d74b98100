package middleware

import (
	"context"
	"net/http"
)

// withContext returns a copy of r with another context, for [serveCopy]. net/http
// stores unannounced trailers in its own request, and creates the map for them if
// there is none. withContext creates it first, so that the copy shares it.
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

// endCopy removes the files of a multipart form that was parsed in the copy, as
// net/http does for its own request, and copies the matched pattern back for logs and
// metrics. It runs after the handler has returned or panicked. It changes nothing
// that net/http would leave alone, because a goroutine of the handler may still use
// the copy.
func endCopy(r, inner *http.Request) {
	if form := inner.MultipartForm; form != nil && form != r.MultipartForm {
		form.RemoveAll()
	}
	r.Pattern = inner.Pattern
}
