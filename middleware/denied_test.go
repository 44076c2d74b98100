package middleware_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// ASVS 5.0, 16.2.1, 16.2.2 and 16.3.2.
func TestAGuardReportsWhomItDenies(t *testing.T) {
	known := auth.Identity{Subject: "alice", LoginID: "phone", Scopes: "read", Methods: "pwd"}
	denied := auth.Event{Kind: auth.EventDenied, Source: "guard", Subject: "alice", LoginID: "phone"}
	because := func(reason string) *auth.Event { e := denied; e.Reason = reason; return &e }
	fault := denied
	fault.Kind, fault.Err = auth.EventFault, errStore
	for rule, c := range map[string]struct {
		from authenticatorFunc
		wrap func(*middleware.Guard) func(http.Handler) http.Handler
		want *auth.Event
	}{
		"a lack of scope": {always(known, nil), func(g *middleware.Guard) func(http.Handler) http.Handler {
			return g.RequireScope("write")
		}, because("insufficient scope")},
		"an old login": {always(known, nil), func(g *middleware.Guard) func(http.Handler) http.Handler {
			return g.RequireRecent(time.Minute)
		}, because("insufficient user authentication")},
		"a missing second factor": {always(known, nil), func(g *middleware.Guard) func(http.Handler) http.Handler {
			return g.RequireMethods("otp")
		}, because("insufficient user authentication")},
		"a rule of the application":   {always(known, nil), that(auth.ErrForbidden), &denied},
		"a rule that fails":           {always(known, nil), that(errStore), &fault},
		"nothing, if admitted":        {always(known, nil), that(nil), nil},
		"nothing, if unauthenticated": {none, that(auth.ErrForbidden), nil},
	} {
		t.Run(rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var received []auth.Event
				guard := &middleware.Guard{Authenticator: c.from, Events: func(_ context.Context, e auth.Event) {
					received = append(received, e)
				}}
				serve(c.wrap(guard)(hello), get("/"))
				if c.want == nil {
					if len(received) > 0 {
						t.Errorf("%+v", received)
					}
					return
				}
				want := *c.want
				want.Time = time.Now().UTC()
				if len(received) != 1 || received[0] != want {
					t.Errorf("%+v, want %+v", received, want)
				}
			})
		})
	}
}
