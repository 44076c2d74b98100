package bothmodes

import (
	"strings"
	"testing"
	"testing/synctest"
)

// Any client can send the headers that a proxy writes. They determine neither the user,
// nor the origin of a request, nor its method.
//
// ASVS 5.0, 3.5.3, 4.1.3 and 8.3.1.
func TestForwardedHeadersHaveNoEffect(t *testing.T) {
	forged := []string{
		"X-Forwarded-User", "alice", "X-Forwarded-Email", "alice@example.org", "X-Remote-User", "alice", "Remote-User", "alice", "X-User", "alice",
		"X-User-Id", "alice", "X_Forwarded_User", "alice", "X-Auth-Request-User", "alice", "X-Authenticated", "true", "X-Scopes", "admin",
		"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "X-Forwarded-For", "127.0.0.1", "Forwarded", "for=127.0.0.1;host=evil.example",
		"X-Original-Url", "/login", "X-Rewrite-Url", "/login", "X-Http-Method", "POST", "X-Http-Method-Override", "POST", "X-Method-Override", "POST",
	}
	for _, mode := range []string{"session", "token"} {
		synctest.Test(t, func(t *testing.T) {
			s := openSite(t, mode)
			for _, target := range []string{"/me", "/admin", "/bank"} {
				if code := s.send("GET", target, forged...); code != 401 {
					t.Errorf("%s: %s: %d", mode, target, code)
				}
			}
			s.login(t, "bob")
			if code := s.send("GET", "/admin", forged...); code != 403 {
				t.Errorf("%s: a scope by a field: %d", mode, code)
			}
			if code := s.send("GET", "/logout", forged...); code != 405 {
				t.Errorf("%s: a method by a field: %d", mode, code)
			}
			// The site is the Host, with any forwarded headers.
			crossSite := append([]string{"Origin", "https://evil.example"}, forged...)
			if code := s.send("POST", "/logout", crossSite...); code != 403 {
				t.Errorf("%s: a host by a field: %d", mode, code)
			}
			if code := s.send("GET", "/me"); code != 200 {
				t.Errorf("%s: %d", mode, code)
			}
			for _, e := range s.take() {
				if strings.Contains(e.Subject, "alice") {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}
