package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/authlatch/auth/cookie"
)

const anotherSite = "other.example" // a third one, beside the shop's and evil.example

var (
	partitioned = cookie.New("apart").SameSiteNone().Partitioned()
	thirdParty  = cookie.New("third").SameSiteNone()
)

// widget is what other sites show in a frame: it sets its cookies at /set,
// deletes them at /delete, and shows at /seen what it has received.
func widget(t *testing.T) http.Handler {
	write := func(change func(p cookie.Policy, h http.Header, r *http.Request) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for _, p := range []cookie.Policy{partitioned, thirdParty} {
				if err := change(p, w.Header(), r); err != nil {
					t.Error(err)
				}
			}
			answer("text/html", "<!DOCTYPE html>done").ServeHTTP(w, r)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/set", write(func(p cookie.Policy, h http.Header, r *http.Request) error { return p.Set(h, r, "v") }))
	mux.HandleFunc("/delete", write(cookie.Policy.Delete))
	mux.Handle("/seen", answer("text/html", "<!DOCTYPE html>seen"))
	mux.HandleFunc("/rename", func(w http.ResponseWriter, r *http.Request) {
		for _, p := range []cookie.Policy{cookie.New("old").SameSiteNone(), cookie.New("old").SameSiteNone().Partitioned()} {
			h := http.Header{}
			if err := p.Set(h, r, "v"); err != nil {
				t.Error(err)
			}
			w.Header().Add("Set-Cookie", h.Get("Set-Cookie"))
		}
	})
	return mux
}

// inFrame shows a path of the app in a frame of host.
func (s *hosts) inFrame(b tab, host, path string) asked {
	s.t.Helper()
	s.forget()
	s.page(host, fmt.Sprintf(`<iframe src="%s" onload="loaded = true"></iframe>`, s.url(app, path)))
	b.visit(s.url(host, "/"))
	if !b.waitUntil("window.loaded") {
		s.t.Fatalf("the frame of %s does not load", host)
	}
	return s.request(app, path)
}

// got returns which of the two cookies the app was sent.
func got(a asked) (names string) {
	r := &http.Request{Header: a.header}
	for _, p := range []cookie.Policy{partitioned, thirdParty} {
		if value, ok, err := p.Read(r); ok && err == nil && value == "v" {
			names += " " + strings.TrimPrefix(p.Name(), "__Host-Http-")
		} else if err != nil {
			names += " " + err.Error()
		}
	}
	return strings.TrimSpace(names)
}

func TestAPartitionedCookieIsOfOneFrameOwnerAlone(t *testing.T) {
	s := openHosts(t)
	s.set(app, widget(t))
	b := newTab(t)
	top := func(path string) asked {
		s.forget()
		b.visit(s.url(app, path))
		return s.request(app, path)
	}
	s.inFrame(b, foreign, "/set")
	for _, step := range []struct{ where, want, got string }{
		{"the same site frames it", "apart", got(s.inFrame(b, foreign, "/seen"))},
		{"another site frames it", "", got(s.inFrame(b, anotherSite, "/seen"))},
		{"a sibling frames it", "", got(s.inFrame(b, sibling, "/seen"))},
		{"it is a page of its own", "", got(top("/seen"))},
	} {
		if step.got != step.want {
			t.Errorf("%s: it gets %q, want %q", step.where, step.got, step.want)
		}
	}
	// On its own it has both, and the deletion takes both.
	top("/set")
	if names := got(top("/seen")); names != "apart third" {
		t.Errorf("on its own it gets %q", names)
	}
	top("/delete")
	if names := got(top("/seen")); names != "" {
		t.Errorf("after the deletion it gets %q", names)
	}
	// That in the frame is another, and goes by the deletion there.
	if names := got(s.inFrame(b, foreign, "/seen")); names != "apart" {
		t.Errorf("in the frame it gets %q", names)
	}
	s.inFrame(b, foreign, "/delete")
	if names := got(s.inFrame(b, foreign, "/seen")); names != "" {
		t.Errorf("after the deletion in the frame it gets %q", names)
	}
}

// Why the comment of Partitioned asks for a new name.
func TestAPartitionedCookieDoublesAnOlderOneOfItsName(t *testing.T) {
	s := openHosts(t)
	s.set(app, widget(t))
	b := newTab(t)
	b.visit(s.url(app, "/rename"))
	b.visit(s.url(app, "/seen"))
	r := &http.Request{Header: s.request(app, "/seen").header}
	if _, ok, err := cookie.New("old").SameSiteNone().Partitioned().Read(r); ok || err != cookie.ErrMalformed {
		t.Errorf("Read: %v, %v", ok, err)
	}
}
