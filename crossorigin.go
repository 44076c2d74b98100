package auth

import (
	"net/http"

	"github.com/authlatch/auth/internal/crossorigin"
)

// CrossOrigin finds out whether another site made a browser send a request. A
// [*http.CrossOriginProtection] is one: it lets safe methods, its trusted origins and
// its bypass patterns pass. It is called by many goroutines at once.
type CrossOrigin interface {
	// Check returns an error if the request must be refused. It does not change
	// r.
	Check(r *http.Request) error
}

// RequireOrigin returns a CrossOrigin that also refuses an unsafe request with neither
// Sec-Fetch-Site nor Origin (ASVS 5.0, 3.7.5). No current browser sends such a request;
// curl and other programs do, and net/http lets it pass. RequireOrigin shows it to c
// as one of another site, so bypass patterns of c still let it pass. If c is nil, no
// other origin is trusted.
func RequireOrigin(c CrossOrigin) CrossOrigin {
	return crossorigin.Required{Checker: crossorigin.OrDefault(c)}
}
