package auth

import (
	"net/http"

	"github.com/authlatch/auth/internal/crossorigin"
)

// CrossOrigin reports whether another site made a browser send a request. A
// [*http.CrossOriginProtection] implements it: it allows safe methods, its trusted
// origins and its bypass patterns. An implementation must be safe for concurrent
// use.
type CrossOrigin interface {
	// Check returns an error if the request must be refused. It does not change
	// r.
	Check(r *http.Request) error
}

// RequireOrigin returns a CrossOrigin that also refuses an unsafe request with neither
// Sec-Fetch-Site nor Origin (ASVS 5.0, 3.7.5). Current browsers always send one of the
// two; curl and other programs do not, and net/http allows such requests. The returned
// CrossOrigin presents them to c as cross-site requests, so the bypass patterns of c
// still allow them. If c is nil, no other origin is trusted.
func RequireOrigin(c CrossOrigin) CrossOrigin {
	return crossorigin.Required{Checker: crossorigin.OrDefault(c)}
}
