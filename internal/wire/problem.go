package wire

import (
	"encoding/json"
	"net/http"
)

// Problem is a problem detail (RFC 9457).
type Problem struct {
	Type   string `json:"type,omitempty"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// RefreshProblem is the prefix of the types of problems with refresh tokens, and
// ReusedProblem is the type for a token that was already used.
const (
	RefreshProblem = "urn:authlatch:refresh:"
	ReusedProblem  = RefreshProblem + "reused"
)

// WriteProblem responds with a problem, whose Title and Status it sets. The response is
// not stored by caches. A handler that refuses a request writes it by this function.
func WriteProblem(w http.ResponseWriter, status int, p Problem) {
	p.Title, p.Status = http.StatusText(status), status
	text, _ := json.Marshal(p) // texts and a number
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(append(text, '\n'))
}
