package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"
)

func bearer(access string) http.Header { return http.Header{"Authorization": {"Bearer " + access}} }

func TestOneHandlerServesBothModes(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	b.login(sessionMode)
	b.reports("browser POST /session/login 200 login")
	access := b.login(tokenMode)
	b.reports("browser POST /token/login 200 login")
	for mode, header := range map[string]http.Header{sessionMode: nil, tokenMode: bearer(access)} {
		if status, body := b.step("me", mode, "GET", "a:/"+mode+"/me", nil, header); status != http.StatusOK || body != "hello, alice\n" {
			t.Errorf("%s: %d %q", mode, status, body)
		}
		b.reports("browser GET a:/" + mode + "/me 200")
	}
	s := b.state()
	if s.Session.Login == nil || s.Token.Login == nil || s.Session.Login.Subject != "alice" {
		t.Errorf("the state shows %+v and %+v", s.Session, s.Token)
	}
}

func TestAWrongPasswordIsRefused(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	for _, form := range []url.Values{{}, {"user": {"alice"}, "password": {"wrong"}}, {"user": {"bob"}, "password": {"correct horse"}}} {
		for _, mode := range []string{sessionMode, tokenMode} {
			if status, _ := b.step("login", mode, "POST", "/"+mode+"/login", form, nil); status != http.StatusUnauthorized || len(b.cookies) != 1 {
				t.Errorf("%s, %v: status %d, %d cookies", mode, form, status, len(b.cookies))
			}
		}
	}
}

// Both APIs reject a session after the logout. Of the access token, A sees only a valid
// signature.
func TestLogoutEverywhereReachesAllAPIsThatReadTheStore(t *testing.T) {
	_, server := open(t)
	here, there := visit(t, server), visit(t, server)
	for _, b := range []*guest{here, there} {
		b.login(sessionMode)
	}
	here.step("everywhere", sessionMode, "POST", "/session/logout-everywhere", url.Values{}, nil)
	here.reports("browser POST /session/logout-everywhere 204 revoked revoked")
	for _, b := range []*guest{here, there} {
		for _, api := range []string{"a", "b"} {
			if status, _ := b.step("call", sessionMode, "GET", api+":/session/me", nil, nil); status != http.StatusUnauthorized {
				t.Errorf("API %s: a session goes on: status %d", api, status)
			}
		}
	}
	access := here.login(tokenMode)
	here.step("everywhere", tokenMode, "POST", "/token/logout-everywhere", url.Values{}, bearer(access))
	here.reports("browser POST /token/logout-everywhere 204 revoked")
	if status := here.refresh(); status != http.StatusUnauthorized {
		t.Errorf("a refresh token is valid: status %d", status)
	}
	for path, want := range map[string]int{"a:/token/me": http.StatusOK, "b:/token/me": http.StatusUnauthorized} {
		if status, _ := here.step("call", tokenMode, "GET", path, nil, bearer(access)); status != want {
			t.Errorf("%s: status %d", path, status)
		}
	}
	if s := here.state(); s.Session.Login != nil || s.Token.Login != nil || len(s.Session.Logins)+len(s.Token.Logins) != 0 {
		t.Errorf("the state shows %+v and %+v", s.Session, s.Token)
	}
}

// Viewing the page, or leaving it open, does not extend a login.
func TestTheStateUsesNoLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := newDemo(short, addresses{"http://localhost:1", "http://localhost:2", "http://localhost:3"})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		cookies := map[string]string{}
		ask := func(handler http.Handler, method, path string, form url.Values) int {
			r := httptest.NewRequest(method, "http://localhost"+path, nil)
			r.PostForm = form
			for name, value := range cookies {
				r.Header.Add("Cookie", name+"="+value)
			}
			r.Header.Set(stepHeader, "login-session-0123456789abcdef")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			for _, c := range w.Result().Cookies() {
				cookies[c.Name] = c.Value
			}
			return w.Code
		}
		ask(d.handler(), "GET", "/", nil)
		ask(d.handler(), "POST", "/session/login", alice)
		time.Sleep(short.idle / 2)
		if status := ask(d.handler(), "GET", "/state", nil); status != http.StatusOK {
			t.Errorf("the state: status %d", status)
		}
		time.Sleep(short.idle / 2)
		if status := ask(d.api(0), "GET", "/session/me", nil); status != http.StatusUnauthorized {
			t.Errorf("the session goes on: status %d", status)
		}
	})
}

func TestLimitsThatCannotWorkAreRefused(t *testing.T) {
	for _, l := range []limits{
		{access: time.Hour, grace: time.Second, idle: time.Minute, lifetime: time.Hour},
		{access: time.Minute, grace: time.Hour, idle: time.Minute, lifetime: time.Hour},
		{access: time.Minute, grace: time.Second, idle: time.Hour, lifetime: time.Minute},
	} {
		if _, err := newDemo(l, addresses{"http://localhost:1", "http://localhost:2", "http://localhost:3"}); err == nil {
			t.Errorf("%+v is taken", l)
		}
	}
}
