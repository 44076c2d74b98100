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
		if status, body := b.step("me", mode, "GET", "/"+mode+"/me", nil, header); status != http.StatusOK || body != "hello, alice\n" {
			t.Errorf("%s: %d %q", mode, status, body)
		}
		b.reports("browser GET /" + mode + "/me 200")
	}
	s := b.state()
	if s.Session.Login == nil || s.Token.Login == nil || len(s.Logins) != 2 || s.Session.Login.Subject != "alice" {
		t.Errorf("the state shows %d logins", len(s.Logins))
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

func TestLogoutEverywhereEndsBothModes(t *testing.T) {
	for _, mode := range []string{sessionMode, tokenMode} {
		_, server := open(t)
		here, there := visit(t, server), visit(t, server)
		here.login(sessionMode)
		access := here.login(tokenMode)
		there.login(sessionMode)
		header := http.Header(nil)
		if mode == tokenMode {
			header = bearer(access)
		}
		here.step("everywhere", mode, "POST", "/"+mode+"/logout-everywhere", url.Values{}, header)
		here.reports("browser POST /" + mode + "/logout-everywhere 204 revoked revoked revoked")
		for _, b := range []*guest{here, there} {
			if status, _ := b.step("me", sessionMode, "GET", "/session/me", nil, nil); status != http.StatusUnauthorized {
				t.Errorf("%s: a session goes on: status %d", mode, status)
			}
		}
		if status := here.refresh(); status != http.StatusUnauthorized {
			t.Errorf("%s: a refresh token is valid: status %d", mode, status)
		}
		// Only a revocation check refuses the access token.
		for path, want := range map[string]int{"/token/me": http.StatusOK, "/token/live/me": http.StatusUnauthorized} {
			if status, _ := here.step("me", tokenMode, "GET", path, nil, bearer(access)); status != want {
				t.Errorf("%s: %s: status %d", mode, path, status)
			}
		}
		if s := here.state(); s.Session.Login != nil || s.Token.Login != nil || len(s.Logins) != 0 {
			t.Errorf("%s: the state shows %d logins", mode, len(s.Logins))
		}
	}
}

// Viewing the page, or leaving it open, does not extend a login.
func TestTheStateUsesNoLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := newDemo(short)
		if err != nil {
			t.Fatal(err)
		}
		handler, cookies := d.handler(), map[string]string{}
		ask := func(method, path string, form url.Values) int {
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
		ask("GET", "/", nil)
		ask("POST", "/session/login", alice)
		time.Sleep(short.idle / 2)
		if status := ask("GET", "/state", nil); status != http.StatusOK {
			t.Errorf("the state: status %d", status)
		}
		time.Sleep(short.idle / 2)
		if status := ask("GET", "/session/me", nil); status != http.StatusUnauthorized {
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
		if _, err := newDemo(l); err == nil {
			t.Errorf("%+v is taken", l)
		}
	}
}
