package conformance

import (
	"testing"

	"github.com/authlatch/auth"
)

// The four calls once more, by axios in a real browser.
func TestAxiosFourCallsMakeOneRefresh(t *testing.T) {
	t.Parallel()
	nodePackages(t)
	s := openTokenSite(t)
	b := s.customer("?frozen")
	eval[bool](b, `import("/axios-page.js").then(() => true)`)
	expire()
	if got := eval[string](b, `Promise.all(["/me", "/slow", "/me", "/me"].map((path) => get(path))).then(String)`); got != "200,200,200,200" {
		t.Errorf("the calls end in %s", got)
	}
	if got := statusesOf(s.seen("POST", "/refresh")); got != "200" {
		t.Errorf("refreshes: %s", got)
	}
	if got := statusesOf(append(s.seen("GET", "/me"), s.seen("GET", "/slow")...)); got != "200 200 200 200 401 401 401 401" {
		t.Errorf("calls: %s", got)
	}
	expire() // data is not made JSON of twice
	if got := eval[string](b, `post("/me", {amount: 1}).then(JSON.stringify)`); got != `{"amount":1}` {
		t.Errorf("the server has got %s", got)
	}
	if got := eval[any](b, `get("/cut")`); got != "ERR_NETWORK" {
		t.Errorf("a network error is %v", got)
	}
	if b.lost() != "" || s.count(auth.EventReuse) != 0 {
		t.Errorf("lost %q", b.lost())
	}
}
